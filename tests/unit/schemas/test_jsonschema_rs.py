import json
from pathlib import Path

import pytest

from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.ports.schemas import SchemaCompiler, Violation
from shared.kernel.errors import InvalidError

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "account": {"type": "integer", "maximum": 2**63},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"tag": {"type": "string", "pattern": "^[a-z]+$"}},
}


def compile_schema(schema: object):
    compiler: SchemaCompiler = JsonSchemaRsCompiler()
    return compiler.compile(json.dumps(schema))


def paths(violations: list[Violation]) -> list[str]:
    return [violation.path for violation in violations]


def test_a_value_that_fits_has_no_violations():
    assert compile_schema(PERSON).validate({"name": "ann", "account": 2**63, "tags": ["a"]}) == []


def test_every_violation_is_told_with_its_pointer():
    found = compile_schema(PERSON).validate({"account": 1.5, "tags": ["a", "B", 3], "more": 1})
    assert sorted(paths(found)) == ["", "", "/account", "/tags/1", "/tags/2"]
    assert any("more" in violation.message for violation in found)
    assert any('"name" is a required property' in violation.message for violation in found)


def test_integers_beyond_doubles_are_compared_exactly():
    validator = compile_schema(PERSON)
    assert validator.validate({"name": "a", "account": 2**63}) == []
    assert paths(validator.validate({"name": "a", "account": 2**63 + 1})) == ["/account"]


def test_a_pointer_is_escaped():
    validator = compile_schema({"additionalProperties": {"type": "integer"}})
    assert paths(validator.validate({"a/b~c": "x"})) == ["/a~1b~0c"]


def test_violations_are_bounded_in_number_and_in_length():
    found = compile_schema({"items": {"type": "integer"}}).validate(["x" * 10_000] * 100)
    assert len(found) == 20
    assert all(len(violation.message) <= 300 for violation in found)


@pytest.mark.parametrize("value", [float("nan"), {1: 2}, object(), b"x", {"a": {1, 2}}], ids=str)
def test_what_is_no_json_is_a_violation_at_worst_and_never_an_exception(value: object):
    compile_schema(PERSON).validate(value)


def test_a_very_deep_value_is_judged_or_refused_without_an_exception():
    value: object = "x"
    for _ in range(10_000):
        value = [value]
    assert len(compile_schema({"type": "array", "items": {"$ref": "#"}}).validate(value)) == 1


@pytest.mark.parametrize(
    "reference",
    [
        "file:///etc/passwd",
        "http://127.0.0.1:1/schema.json",
        "https://example.com/schema.json",
        "other.json",
        "/etc/passwd",
        "urn:example:thing",
        "#/$defs/missing",
        "#missing",
    ],
)
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_a_schema_that_points_outside_is_refused(reference: str, keyword: str):
    with pytest.raises(InvalidError, match="SCHEMA_INVALID"):
        compile_schema({"properties": {"a": {keyword: reference}}})


def test_an_existing_file_is_not_read(tmp_path: Path):
    file = tmp_path / "schema.json"
    file.write_text('{"type": "integer"}')
    with pytest.raises(InvalidError, match="nothing is fetched"):
        compile_schema({"$ref": file.as_uri()})
    with pytest.raises(InvalidError, match="nothing is fetched"):
        compile_schema({"$id": tmp_path.as_uri() + "/", "$ref": "schema.json"})


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "(", "(a{1000}){1000}"])
def test_a_pattern_that_cannot_run_in_linear_time_is_refused(pattern: str):
    with pytest.raises(InvalidError, match="SCHEMA_INVALID"):
        compile_schema({"pattern": pattern})


def test_a_pattern_that_would_backtrack_for_ever_elsewhere_just_answers():
    assert paths(compile_schema({"pattern": "^(a+)+$"}).validate("a" * 50_000 + "b")) == [""]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", '"x"', "null", '{"minimum": NaN}', '{"type": "objec"}', '{"required": "name"}', "[" * 100_000],
)
def test_what_is_no_schema_is_refused(text: str):
    with pytest.raises(InvalidError) as raised:
        JsonSchemaRsCompiler().compile(text)
    assert raised.value.reason == "SCHEMA_INVALID"
    assert len(raised.value.violations) == 1


def test_a_huge_schema_and_a_deep_one_are_refused():
    with pytest.raises(InvalidError, match="larger than"):
        JsonSchemaRsCompiler().compile('{"title": "' + "x" * 2**20 + '"}')
    with pytest.raises(InvalidError, match="SCHEMA_INVALID"):
        JsonSchemaRsCompiler().compile('{"not": ' * 900 + "true" + "}" * 900)


def test_another_draft_is_refused_and_the_right_one_may_be_named():
    with pytest.raises(InvalidError, match="Draft 2020-12"):
        compile_schema({"$schema": "http://json-schema.org/draft-07/schema#"})
    assert compile_schema({"$schema": "https://json-schema.org/draft/2020-12/schema"}).validate(1) == []


def test_formats_are_annotations():
    assert compile_schema({"format": "date"}).validate("not a date") == []


def test_true_and_false_are_schemas():
    assert compile_schema(True).validate({"a": 1}) == []
    assert paths(compile_schema(False).validate(1)) == [""]


def test_a_choice_is_told_whole():
    validator = compile_schema({"properties": {"ticker": {"enum": ["A", "B", "C", "D", 5]}}})
    assert validator.validate({"ticker": "NOPE"}) == [
        Violation("/ticker", '"NOPE" is not one of "A", "B", "C", "D" or 5'),
    ]
    many = compile_schema({"enum": list(range(100))})
    (found,) = many.validate("x" * 200)
    assert found.message.endswith("18, 19 ...")
