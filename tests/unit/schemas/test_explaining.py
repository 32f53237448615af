"""Types that hold themselves, and values that are large: what is wrong is said, at a cost that does not explode."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator_svc.adapters.schemas.explaining import Explanation
from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler

SELF = {"$ref": "#/$defs/N"}
EXPRESSION = {
    "$defs": {
        "N": {"anyOf": [{"$ref": "#/$defs/Add"}, {"$ref": "#/$defs/Mul"}, {"type": "integer"}]},
        "Add": {"title": "Add", "type": "object", "properties": {"left": SELF}, "required": ["left"]},
        "Mul": {"title": "Mul", "type": "object", "properties": {"left": SELF}, "required": ["left"]},
    },
    **SELF,
}


def tagged(keyword: str) -> dict[str, Any]:
    """Filters as pydantic writes them: and, or, not, eq."""
    holding = {
        name: {
            "title": name.title(),
            "type": "object",
            "properties": {"op": {"const": name, "type": "string"}, "args": {"type": "array", "items": SELF}},
            "required": ["op", "args"],
        }
        for name in ("and", "or", "not")
    }
    equal = {"title": "Eq", "type": "object", "properties": {"op": {"const": "eq"}, "field": {"type": "string"}}}
    names = {name: {"$ref": f"#/$defs/{name}"} for name in (*holding, "eq")}
    return {"$defs": {"N": {keyword: list(names.values())}, **holding, "eq": equal}, **SELF}


def nested(depth: int, wrap: Callable[[Any], Any], innermost: Any) -> Any:
    value = innermost
    for _ in range(depth):
        value = wrap(value)
    return value


def explain(schema: object, value: object) -> list[tuple[str, str]]:
    return [(one.path, one.message) for one in JsonSchemaRsCompiler().compile(json.dumps(schema)).validate(value)]


@pytest.mark.parametrize("depth", [1, 16, 40, 62])
def test_a_union_that_holds_itself_is_explained_at_any_depth(depth: int):
    value = nested(depth, lambda inner: {"left": inner}, "x")
    assert explain(EXPRESSION, value) == [("/left" * depth, '"x" fits none of: Add, Mul, integer')]
    assert explain(EXPRESSION, nested(depth, lambda inner: {"left": inner}, 1)) == []


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
@pytest.mark.parametrize("depth", [3, 31])
def test_the_alternative_that_was_meant_is_explained(keyword: str, depth: int):
    def wrap(inner: Any) -> Any:
        return {"op": "not", "args": [inner]}

    filters, place = tagged(keyword), "/args/0" * depth
    assert explain(filters, nested(depth, wrap, {"op": "eq", "field": 5})) == [
        (place + "/field", '5 is not of type "string"')
    ]
    assert explain(filters, nested(depth, wrap, {"op": "or"})) == [(place, '"args" is a required property')]
    [(where, message)] = explain(filters, nested(depth, wrap, {"op": "xor"}))
    assert where == place
    assert message.startswith('the object fits none of: And (op: "and"), Or (op: "or"), Not (op: "not"), Eq (op: "eq")')


@pytest.mark.parametrize(
    ("schema", "value", "path"),
    [
        ({"allOf": [SELF, {"type": "array"}]}, {"c": 1}, ""),
        ({"allOf": [{"properties": {"c": SELF}, "type": "object"}] * 2}, {"c": 1}, "/c"),
        ({"oneOf": [{"type": "integer"}, {"minimum": 0}, SELF]}, 1, ""),
        ({"properties": {"c": {"not": SELF}}}, {"c": {}}, "/c"),
        ({"additionalProperties": SELF, "maxProperties": 1}, {"a": {"b/~": {"c": 1, "d": 1}}}, "/a/b~1~0"),
        ({"prefixItems": [{"const": 1}, SELF], "items": False}, [1, [1, [2]]], "/1/1/0"),
        ({"if": {"type": "array"}, "then": {"maxItems": 0}, "else": {"properties": {"c": SELF}}}, {"c": [1]}, ""),
        ({"patternProperties": {"^c": SELF}, "type": "object"}, {"cc": 1}, ""),
        ({"properties": {"c": SELF}, "required": ["c"], "type": "object"}, {"c": {"c": "x"}}, "/c/c"),
        ({"properties": {"c": SELF, "d": {"uniqueItems": True}}}, {"c": {"d": [1, 1]}}, "/c/d"),
        ({"dependentSchemas": {"c": {"required": ["d"]}}, "properties": {"c": SELF}}, {"c": {"c": 1, "d": 1}}, ""),
    ],
    ids=str,
)
def test_every_keyword_leads_to_a_place(schema: dict[str, Any], value: object, path: str):
    found = explain({"$defs": {"N": schema}, **SELF}, value)
    assert path in [place for place, _ in found]


def test_of_very_many_items_the_first_wrong_ones_are_found():
    found = explain({"type": "array", "items": {"type": "integer"}}, [1] * 100_000 + ["x"] * 100_000)
    assert [place for place, _ in found] == [f"/{position}" for position in range(100_000, 100_020)]


def test_a_large_value_is_not_copied_for_each_of_many_faults():
    large = {"x": "y" * 900_000}
    assert explain({"allOf": [{"type": "string"}] * 150}, large)[0] == ("", 'the object is not of type "string"')
    assert len(explain({"required": [f"k{number}" for number in range(300)]}, large)) == 20


class CountedChecks:
    """Says that nothing fits, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def fits(self, pointer: str, value: object) -> bool:
        self.asked += 1
        return False

    def fit(self, pointer: str, values: list[Any]) -> bool:
        return self.fits(pointer, values)

    def fits_alone(self, schema: dict[str, Any], value: object) -> bool:
        self.asked += 1
        return True


def test_each_level_is_asked_for_a_few_times_only():
    def asked(depth: int) -> int:
        checks = CountedChecks()
        Explanation(EXPRESSION, 30, checks, 20).explain(nested(depth, lambda inner: {"left": inner}, "x"))
        return checks.asked

    assert asked(60) - asked(40) == asked(40) - asked(20)


def test_where_it_would_cost_too_much_the_place_so_far_is_told():
    value = nested(60, lambda inner: {"left": inner, "more": "x" * 4_000}, "x")
    [(path, _)] = explain(EXPRESSION, value)
    assert path.startswith("/left")
