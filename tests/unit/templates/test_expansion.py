import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_svc.domain.canonical import write
from orchestrator_svc.domain.proposal import Condition, Dependency, ProposalSpec
from orchestrator_svc.domain.references import fill, find_references
from orchestrator_svc.domain.sources import Sources
from orchestrator_svc.domain.template.expansion import complete, expand
from orchestrator_svc.domain.template.reading import read_template
from orchestrator_svc.domain.template.substitution import substitute
from orchestrator_svc.domain.tool import Tier
from shared.kernel.errors import InvalidError
from tests.unit.templates.test_reading import WHOLE

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$from", "$literal", "$param", "$x", "path", "default", "a"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def expanded(**parameters: Any) -> list[ProposalSpec]:
    template = read_template(WHOLE, "")
    return expand(template, complete(template, parameters), 10_000)


def with_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    data = json.loads(json.dumps(WHOLE))
    data["agents"]["finder"]["proposals"]["find"]["arguments"] = arguments
    return data


def test_proposals_come_in_the_order_of_the_text_with_all_that_was_written():
    find, greet, log = expanded(who="ann")
    assert (find.key, find.agent, find.tool) == ("find", "finder", "find_person")
    assert json.loads(find.arguments) == {"name": "ann"}
    assert greet.depends_on == (Dependency("find"), Dependency("log", Condition.FINISHED))
    assert (greet.version, greet.tier, greet.title, greet.rationale) == ("2", Tier.HARD, "ann", "Asked to.")
    assert (greet.labels, greet.idempotency_key) == ({"team": "sales", "who": "ann"}, "ann")
    assert json.loads(greet.arguments) == {
        "to": {"$from": "find", "path": "/email"},
        "often": 2,
        "raw": {"$literal": {"$param": "not one"}},
    }
    assert log.arguments == "{}"


def test_a_given_parameter_wins_over_its_default():
    assert json.loads(expanded(who="ann", times=3)[1].arguments)["often"] == 3


def test_values_keep_their_types():
    for value in (None, True, 12345678901234567890123, 1.5, "1", [], {}, {"a": [None]}):
        assert json.loads(expanded(who="ann", times=value)[1].arguments)["often"] == value


def test_text_is_never_put_together():
    data = with_arguments({"name": "Hello $param who {who}"})
    template = read_template(data, "")
    [expanded, *_] = expand(template, {"who": "ann", "times": 1}, 1_000)
    assert json.loads(expanded.arguments) == {"name": "Hello $param who {who}"}


@pytest.mark.parametrize("value", [1, None, ["x"], {"a": "b"}])
def test_where_only_a_text_can_stand_another_value_is_refused(value: object):
    with pytest.raises(InvalidError) as raised:
        expanded(who=value)
    assert raised.value.reason == "TEMPLATE_INVALID"
    assert raised.value.violations[0].field == "agents.greeter.proposals.greet.title"


def test_who_gives_parameters_cannot_make_references():
    arguments = expanded(who="ann", times={"x": [{"$from": "find", "path": "/password"}]})[1].arguments
    assert json.loads(arguments)["often"] == {"$literal": {"x": [{"$from": "find", "path": "/password"}]}}


def test_inside_a_references_default_a_parameter_is_data_as_it_stands():
    data = with_arguments({})
    data["agents"]["greeter"]["proposals"]["greet"]["arguments"] = {
        "to": {"$from": "find", "default": [{"$param": "times"}]},
    }
    template = read_template(data, "")
    secret = {"$from": "find"}
    arguments = expand(template, {"who": "ann", "times": secret}, 1_000)[1].arguments
    assert json.loads(arguments) == {"to": {"$from": "find", "default": [secret]}}
    bound, missing = fill(arguments, {"find": None}, Sources())
    assert (json.loads(bound), missing) == ({"to": [secret]}, ("find",))


@given(JSON, JSON)
def test_whatever_is_given_arrives_as_it_was_given(one: Any, other: Any):
    """Through expansion, canonical form and the filling in of references."""
    template = {"a": {"$param": "one"}, "b": [{"$param": "other"}], "c": {"$from": "x", "default": {"$param": "one"}}}
    arguments = substitute(template, {"one": one, "other": other})
    references = find_references(arguments)
    assert references is not None
    assert references.by_key() == {"x": True}
    bound, _ = fill(json.dumps(arguments), {"x": None}, Sources())
    assert bound == write({"a": one, "b": [other], "c": one})


def test_what_cannot_be_json_is_refused():
    with pytest.raises(InvalidError, match="lone surrogate"):
        expanded(who="ann", times="\ud800")


def test_what_parameters_amplify_is_refused_before_it_is_written():
    """A small template and one large parameter are not a batch of any size."""
    data = json.loads(json.dumps(WHOLE))
    greet = data["agents"]["greeter"]["proposals"]["greet"]
    greet["arguments"] = {"to": [{"$param": "who"}] * 1_000}
    template, values = read_template(data, ""), {"who": "x" * 1_000_000, "times": 1}
    tracemalloc.start()
    try:
        with pytest.raises(InvalidError) as caught:
            expand(template, values, 5_000_000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000, "the whole would be 1 GB"
    finally:
        tracemalloc.stop()
    [violation] = caught.value.violations
    assert violation.field == "agents.greeter.proposals.greet.arguments"
    assert "5,000,000 bytes" in violation.description
