"""Arguments of types that hold themselves: validated where that ends soon, refused where it would not."""

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from greenlight_tool import signature
from greenlight_tool.signature import ArgumentsError


class Add(BaseModel):
    left: "Expression"


class Mul(BaseModel):
    left: "Expression"


Expression = Add | Mul | int


class And(BaseModel):
    op: Literal["and"]
    parts: "list[Filter]"


class Not(BaseModel):
    op: Literal["not"]
    parts: "list[Filter]"


class Equal(BaseModel):
    op: Literal["eq"]
    field: str


Filter = Annotated[And | Not | Equal, Field(discriminator="op")]


class Tree(BaseModel):
    value: int
    children: "list[Tree]" = []
    beside: "Tree | None" = None


Anything = TypeAliasType("Anything", "dict[str, Anything] | list[Anything] | str | int | None")  # pyright: ignore[reportInvalidTypeForm, reportUnknownVariableType, reportGeneralTypeIssues]


async def calculate(e: Expression) -> None: ...
async def find(e: Filter) -> None: ...
async def plant(e: Tree) -> None: ...
async def keep(e: Anything) -> None: ...  # pyright: ignore[reportInvalidTypeForm, reportUnknownParameterType]
async def add(e: list[int]) -> None: ...


def parse(function: Callable[..., Any], depth: int, wrap: Callable[[Any], Any], innermost: Any) -> dict[str, Any]:
    value = innermost
    for _ in range(depth):
        value = wrap(value)
    return signature.read(function, "t").parse(json.dumps({"e": value}))


@pytest.mark.parametrize("innermost", [1, "x"])
@pytest.mark.parametrize("depth", [16, 60, 190, 500])
def test_what_would_be_tried_too_often_is_refused_before(depth: int, innermost: object):
    with pytest.raises(ArgumentsError, match="nested too deeply"):
        parse(calculate, depth, lambda inner: {"left": inner}, innermost)


def test_a_moderate_depth_is_validated():
    parse(calculate, 9, lambda inner: {"left": inner}, 1)
    with pytest.raises(ArgumentsError) as raised:
        parse(calculate, 9, lambda inner: {"left": inner}, "x")
    assert 0 < len(raised.value.problems) <= 20


def test_with_a_discriminator_depth_costs_nothing():
    parse(find, 60, lambda inner: {"op": "not", "parts": [inner]}, {"op": "eq", "field": "x"})
    with pytest.raises(ArgumentsError) as raised:
        parse(find, 30, lambda inner: {"op": "and", "parts": [inner]}, {"op": "eq", "field": 5})
    assert len(raised.value.problems) == 1


def test_types_that_hold_themselves_without_alternatives_are_no_trouble():
    parse(plant, 60, lambda inner: {"value": 1, "children": [inner], "beside": {"value": 2}}, {"value": 3})
    parse(keep, 30, lambda inner: {"a": [inner, inner] if inner == 1 else [inner], "b": [[], {}, None]}, 1)


def test_a_wide_value_is_no_deep_one():
    parse(keep, 1, lambda inner: [{"a": [inner], "b": None}] * 10_000, 1)
    assert len(json.dumps([{"a": [1], "b": None}] * 10_000)) > 200_000


def test_many_places_are_counted_and_some_are_named():
    with pytest.raises(ArgumentsError) as raised:
        parse(add, 1, lambda inner: [inner] * 60_000, "x")
    assert raised.value.problems == [("", "60,000 places do not fit the tool's types")]
    with pytest.raises(ArgumentsError) as raised:
        parse(add, 1, lambda inner: [inner] * 1_000, "x")
    assert len(raised.value.problems) == 20
