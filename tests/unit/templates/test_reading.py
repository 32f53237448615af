import copy
import json
from typing import Any

import pytest

from orchestrator_svc.domain.proposal import Condition, Dependency
from orchestrator_svc.domain.template.model import Parameter, Template
from orchestrator_svc.domain.template.reading import read_template
from orchestrator_svc.domain.tool import RetryPolicy, Tier
from shared.kernel.errors import FieldViolation, InvalidError

WHOLE: dict[str, Any] = {
    "format": 1,
    "name": "greet",
    "version": "1.2",
    "description": "Says hello.",
    "parameters": {
        "properties": {"who": {"type": "string"}, "times": {"type": "integer", "default": 2}, "maybe": {}},
        "required": ["who"],
    },
    "agents": {
        "finder": {
            "proposals": {
                "find": {"tool": "find_person", "arguments": {"name": {"$param": "who"}}},
            }
        },
        "greeter": {
            "proposals": {
                "greet": {
                    "tool": "send",
                    "version": "2",
                    "title": {"$param": "who"},
                    "rationale": "Asked to.",
                    "arguments": {
                        "to": {"$from": "find", "path": "/email"},
                        "often": {"$param": "times"},
                        "raw": {"$literal": {"$param": "not one"}},
                    },
                    "tier": "HARD",
                    "depends_on": ["find", {"key": "log", "when": "FINISHED"}],
                    "labels": {"team": "sales", "who": {"$param": "who"}},
                    "idempotency_key": {"$param": "who"},
                    "timeout": "500ms",
                    "retry": {"max_attempts": 5, "max_delay": "1m"},
                    "approval_deadline": "24h",
                },
                "log": {"tool": "log"},
            }
        },
    },
}
PLACE = "agents.greeter.proposals.greet"


def changed(path: str, value: Any) -> dict[str, Any]:
    """WHOLE with one value replaced, or removed where it is `...`."""
    data = copy.deepcopy(WHOLE)
    *parents, last = path.split(".")
    node = data
    for name in parents:
        node = node[name]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return data


def violations(data: object) -> list[FieldViolation]:
    with pytest.raises(InvalidError) as raised:
        read_template(data, "")
    assert raised.value.reason == "TEMPLATE_INVALID"
    return raised.value.violations


def violation(data: object) -> tuple[str, str]:
    [one] = violations(data)
    return one.field, one.description


def test_a_template_is_read_whole():
    template = read_template(WHOLE, "the text")
    assert (str(template), template.description, template.source) == ("greet@1.2", "Says hello.", "the text")
    assert (template.agents, template.tools) == (("finder", "greeter"), ("find_person", "log", "send"))
    assert template.defaults == {"times": 2}
    assert template.version_order == (1, 2)
    find, greet, log = template.proposals
    assert (find.key, find.agent, find.tool) == ("find", "finder", "find_person")
    assert (find.version, find.arguments, find.title) == ("", {"name": {"$param": "who"}}, "")
    assert (find.tier, find.timeout, find.retry, find.approval_deadline) == (None, None, None, None)
    assert (greet.version, greet.tier, greet.title, greet.rationale) == ("2", Tier.HARD, Parameter("who"), "Asked to.")
    assert greet.depends_on == (Dependency("find"), Dependency("log", Condition.FINISHED))
    assert greet.labels == {"team": "sales", "who": Parameter("who")}
    assert greet.idempotency_key == Parameter("who")
    assert (greet.timeout, greet.approval_deadline) == (500_000_000, 86_400_000_000_000)
    assert greet.retry == RetryPolicy(max_attempts=5, max_delay=60_000_000_000)
    assert log.arguments == {}


def test_parameters_that_are_not_declared_are_refused_by_the_schema():
    schema = json.loads(read_template(WHOLE, "").parameters_schema_json)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["who"]


def test_without_parameters_there_are_none():
    data = {"format": 1, "name": "n", "version": "1", "agents": {"a": {"proposals": {"p": {"tool": "t"}}}}}
    template = read_template(data, "")
    assert json.loads(template.parameters_schema_json) == {"type": "object", "additionalProperties": False}
    assert (template.description, template.defaults) == ("", {})


@pytest.mark.parametrize("format_", [..., 0, 2, "1", True, None, 1.5])
def test_another_format_is_refused_and_judged_no_further(format_: object):
    data = changed("format", format_) | {"unknown": 1}
    field, description = violation(data)
    assert field == "format"
    assert "write 'format: 1'" in description


@pytest.mark.parametrize(
    ("path", "key", "remedy"),
    [
        ("", "agent", "did you mean 'agents'?"),
        ("", "requirements", "remove it; known here: agents, description, format, name, parameters, version"),
        ("agents.greeter", "proposal", "did you mean 'proposals'?"),
        (PLACE, "argumets", "did you mean 'arguments'?"),
        (PLACE, "depends", "did you mean 'depends_on'?"),
        (f"{PLACE}.retry", "attempts", "did you mean 'max_attempts'?"),
    ],
)
def test_an_unknown_key_is_refused_with_its_path_and_the_remedy(path: str, key: str, remedy: str):
    field, description = violation(changed(f"{path}.{key}".lstrip("."), "x"))
    assert field == f"{path}.{key}".lstrip(".")
    assert description == f"unknown key {key!r}: {remedy}"


def test_an_unknown_key_of_a_dependency_is_named_with_its_position():
    field, description = violation(changed(f"{PLACE}.depends_on", ["log", {"key": "find", "whn": "FINISHED"}]))
    assert field == f"{PLACE}.depends_on[1].whn"
    assert "did you mean 'when'?" in description


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("name", ..., "must be 1-128 letters"),
        ("name", "a b", "must be 1-128 letters"),
        ("name", 7, "must be 1-128 letters"),
        ("version", ..., "dotted whole numbers in quotes"),
        ("version", 1.0, "dotted whole numbers in quotes"),
        ("version", "v1", "dotted whole numbers in quotes"),
        ("version", "01", "dotted whole numbers in quotes"),
        ("description", ["x"], "must be a text, and is a list"),
        ("agents", {}, "at least one proposal"),
        ("agents.greeter", None, "must be a mapping, and is empty"),
        ("agents.greeter.proposals", ["x"], "must be a mapping, and is a list"),
        (PLACE, "x", "must be a mapping, and is a text"),
        (f"{PLACE}.tool", ..., "must be a text, and is empty"),
        (f"{PLACE}.tool", " ", "must not be empty"),
        (f"{PLACE}.tool", {"$param": "who"}, "must be a text, and is a mapping"),
        (f"{PLACE}.version", 2, 'must be a text, and is a number; write "2"'),
        (f"{PLACE}.title", {"$param": "who", "x": 1}, 'must be a text, or {"$param": NAME} alone'),
        (f"{PLACE}.title", True, "must be a text, and is true or false"),
        (f"{PLACE}.labels.team", 3, 'must be a text, and is a number; write "3"'),
        (f"{PLACE}.arguments", [1], "must be a mapping, and is a list"),
        (f"{PLACE}.tier", "hard", "must be one of AUTO, SOFT, HARD"),
        (f"{PLACE}.tier", 3, "must be one of AUTO, SOFT, HARD"),
        (f"{PLACE}.depends_on", "find", "must be a list of keys"),
        (f"{PLACE}.depends_on", [3], "must be a mapping, and is a number"),
        (f"{PLACE}.depends_on", [{"when": "FINISHED"}], "must be a text, and is empty"),
        (f"{PLACE}.depends_on", [{"key": "find", "when": "DONE"}], "must be one of SUCCEEDED, FINISHED"),
        (f"{PLACE}.timeout", 30, "with its unit"),
        (f"{PLACE}.timeout", "0s", "with its unit"),
        (f"{PLACE}.timeout", "1.5s", "with its unit"),
        (f"{PLACE}.timeout", "1 day", "with its unit"),
        (f"{PLACE}.retry.max_attempts", 0, "from 1 to 100"),
        (f"{PLACE}.retry.max_attempts", True, "from 1 to 100"),
        (f"{PLACE}.retry.initial_delay", "soon", "with its unit"),
        (f"{PLACE}.depends_on", ["missing"], "no proposal has the key 'missing'"),
        (f"{PLACE}.depends_on", ["find", {"key": "find", "when": "FINISHED"}], "the key 'find' stands twice"),
        (f"{PLACE}.depends_on", ["greet"], "cannot wait for itself"),
        (f"{PLACE}.arguments.to", {"$from": "missing"}, "no proposal has the key 'missing'"),
        (f"{PLACE}.arguments.to", {"$from": "greet"}, "cannot wait for itself"),
        (f"{PLACE}.arguments.to", {"$from": {"$param": "who"}}, "$from must be the key of another proposal"),
        (f"{PLACE}.arguments.to", {"$from": "find", "path": "email"}, "path must be a JSON Pointer"),
        (f"{PLACE}.arguments.to", {"$from": "find", "fallback": 1}, "'fallback' is not a member of a reference"),
        (f"{PLACE}.arguments.to", {"$secret": "x"}, "secrets are not supported"),
        (f"{PLACE}.arguments.to", {"$param": "whom"}, "no parameter is called 'whom'; declared: maybe, times, who"),
        (f"{PLACE}.arguments.to", {"$param": "maybe"}, "require it, or give it a default"),
        (f"{PLACE}.arguments.to", {"$param": "who", "default": 1}, 'a parameter stands alone: {"$param": NAME}'),
        (f"{PLACE}.arguments.to", {"$param": ["who"]}, 'a parameter stands alone: {"$param": NAME}'),
        (f"{PLACE}.arguments.to", {"$from": "find", "default": {"$param": "whom"}}, "no parameter is called 'whom'"),
        (f"{PLACE}.title", {"$param": "whom"}, "no parameter is called 'whom'"),
        (f"{PLACE}.labels.who", {"$param": "maybe"}, "require it, or give it a default"),
        ("agents.greeter.proposals.log.depends_on", ["greet"], "in a circle: greet -> log -> greet"),
        ("agents.finder.proposals.greet", {"tool": "t"}, "agent 'finder' has a proposal 'greet' already"),
        ("agents.finder.proposals.a/b", {"tool": "t"}, "1-128 visible ASCII characters except '/'"),
        ("agents.ä", {"proposals": {"x": {"tool": "t"}}}, "1-128 visible ASCII characters except '/'"),
        ("parameters", [], "must be a mapping, and is a list"),
        ("parameters.type", "array", "must be 'object'"),
        ("parameters.properties.who", {"$ref": "#/properties/times"}, "write the schema out"),
        ("parameters.properties.who", {"anyOf": [{"$dynamicRef": "#x"}]}, "write the schema out"),
        ("parameters.properties.a b", {}, "a parameter's name is"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(path: str, value: object, said: str):
    found = violations(changed(path, value))
    top = path.partition(".")[0]
    assert any(said in one.description and one.field.startswith(top) for one in found), found


def test_everything_that_is_wrong_is_said_at_once():
    data = changed("name", "a b") | {"extra": 1, "version": "x"}
    del data["agents"]["finder"]["proposals"]["find"]["tool"]
    assert {one.field for one in violations(data)} == {"name", "version", "extra", "agents.finder.proposals.find.tool"}


def test_the_message_tells_the_first_and_how_many_more():
    data = changed("name", "a b") | {"version": "x"}
    with pytest.raises(InvalidError, match=r"name: must be .*; and 1 more$"):
        read_template(data, "")


def test_lines_are_added_where_they_are_known():
    with pytest.raises(InvalidError) as raised:
        read_template(changed("name", "a b"), "", lambda path: 7 if path == ("name",) else None)
    assert raised.value.violations[0].description.endswith("(line 7)")


def test_a_mapping_of_no_kind_is_refused():
    for data in (None, [], "text", 3):
        assert any(one.field == "" for one in violations(data))


def test_a_template_is_a_value():
    assert isinstance(read_template(WHOLE, ""), Template)
    assert read_template(WHOLE, "") == read_template(copy.deepcopy(WHOLE), "")
