"""A schema's defaults are filled in where members are absent, and nowhere else."""

from typing import Any

import pytest

from orchestrator_svc.domain.defaults import compile_defaults

UNIT = {"type": "object", "properties": {"unit": {"default": "m"}, "size": {"type": "number"}}}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (UNIT, {}, {"unit": "m"}),
        (UNIT, {"unit": None}, {"unit": None}),
        (UNIT, [], []),
        ({"properties": {"a": UNIT}}, {"a": {}}, {"a": {"unit": "m"}}),
        ({"properties": {"a": UNIT}}, {}, {}),
        ({"properties": {"a": UNIT | {"default": {}}}}, {}, {"a": {"unit": "m"}}),
        ({"items": UNIT}, [{}, 1, {"unit": "k"}], [{"unit": "m"}, 1, {"unit": "k"}]),
        ({"$ref": "#/$defs/u", "$defs": {"u": UNIT}}, {}, {"unit": "m"}),
        ({"properties": {"a": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": UNIT}}, {"a": {}}, {"a": {"unit": "m"}}),
        ({"properties": {"a": {"$ref": "#/nowhere", "default": 1}}}, {}, {"a": 1}),
    ],
)
def test_examples(schema: dict[str, Any], value: Any, expected: Any) -> None:
    fill = compile_defaults(schema)
    assert fill is not None
    before = repr(value)
    assert fill(value) is (before != repr(expected))
    assert value == expected
    assert fill(value) is False


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": {"a": {"type": "string"}}},
        {"anyOf": [UNIT]},
        {"$ref": "https://example.org/schema"},
        {"$ref": "#"},
        {"$ref": 1},
        {"items": True},
        {"properties": 1},
    ],
)
def test_there_may_be_none(schema: dict[str, Any]) -> None:
    assert compile_defaults(schema) is None


def test_each_value_gets_a_default_of_its_own() -> None:
    fill = compile_defaults({"properties": {"a": {"default": []}}})
    assert fill is not None
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    fill(first)
    first["a"].append(1)
    fill(second)
    assert second == {"a": []}


def test_one_that_refers_to_itself_costs_little() -> None:
    members = {f"m{number}": {"$ref": "#/$defs/node"} for number in range(50)}
    node = {"properties": {**members, "unit": {"default": "m"}}}
    fill = compile_defaults({"$ref": "#/$defs/node", "$defs": {"node": node}})
    assert fill is not None
    value: dict[str, Any] = {"m7": {"m3": {}}}
    fill(value)
    assert value == {"m7": {"m3": {"unit": "m"}, "unit": "m"}, "unit": "m"}
