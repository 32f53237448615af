"""Schemas that come from anyone are small enough to be checked at once, and so are the values by them."""

import json
from typing import Any

import pytest

from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.adapters.schemas.limits import PARAMETERS, TOOLS, Limits
from shared.kernel.errors import InvalidError


def compile_schema(schema: object, limits: Limits = PARAMETERS):
    return JsonSchemaRsCompiler(limits).compile(json.dumps(schema))


@pytest.mark.parametrize(
    ("schema", "limit"),
    [
        ({"items": {"allOf": [{"minimum": 0}] * 3_000}}, "2,000"),
        ({"enum": list(range(2_000))}, "2,000"),
        ({"allOf": [{"pattern": f"(a|b){{1,900}}{number}"} for number in range(51)]}, "51 patterns: at most 50"),
        ({"patternProperties": {f"x{number}": True for number in range(51)}}, "51 patterns: at most 50"),
        ({"pattern": "a" * 5_001}, "5,001 characters of patterns: at most 5,000"),
        ({"pattern": ".{1,1000}"}, "regex"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_schema_that_is_too_much_is_refused_and_the_limit_named(schema: object, limit: str):
    with pytest.raises(InvalidError, match="SCHEMA_INVALID") as raised:
        compile_schema(schema)
    assert limit in str(raised.value)


def test_tools_may_have_more():
    tool = {"items": {"allOf": [{"minimum": 0}] * 3_000}, "patternProperties": {f"x{n}": True for n in range(51)}}
    assert compile_schema(tool, TOOLS).validate([1]) == []
    with pytest.raises(InvalidError, match="at most 20,000"):
        compile_schema({"enum": list(range(20_000))}, TOOLS)
    with pytest.raises(InvalidError, match="at most 500"):
        compile_schema({"patternProperties": {f"x{n}": True for n in range(501)}}, TOOLS)


@pytest.mark.parametrize(
    ("schema", "fits", "too_much"),
    [
        ({"items": {"allOf": [{"minimum": 0}] * 900}}, [1] * 1_000, [1] * 10_000),
        ({"items": {"pattern": "^[a-z]{1,8}$"}}, ["abc"] * 1_000, ["abc"] * 100_000),
        ({"pattern": "^(a|b){1,300}c{1,300}"}, "ab" * 100 + "c", "ab" * 50_000),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_that_would_take_long_is_refused_before_it_is_checked(schema: Any, fits: Any, too_much: Any):
    validator = compile_schema(schema)
    assert validator.validate(fits) == []
    [violation] = validator.validate(too_much)
    assert (violation.path, violation.message[:10]) == ("", "too large ")
    assert "at most" in violation.message


def test_what_people_write_is_far_from_the_limits():
    ticker = {"type": "string", "pattern": "^[A-Z]{1,5}$", "description": "x" * 200}
    schema = {"type": "object", "properties": {f"p{number}": ticker for number in range(30)}}
    assert compile_schema(schema).validate({f"p{number}": "ACME" for number in range(30)}) == []
