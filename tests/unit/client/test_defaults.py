"""What `edit` fills in before it shows a change is what the orchestrator would fill in."""

import copy
import json
from typing import Any

import pytest

from greenlight_client.cli.defaults import with_defaults
from greenlight_client.cli.inputs import NotJsonError
from orchestrator_svc.domain.defaults import compile_defaults

_UNIT: dict[str, Any] = {"type": "object", "properties": {"unit": {"default": "m"}, "size": {"type": "number"}}}
_ITSELF: dict[str, Any] = {"properties": {"n": {"default": 1}, "more": {"$ref": "#"}}}
_DEEP: Any = {}
for _ in range(30):
    _DEEP = {"more": _DEEP}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (_UNIT, {}),
        (_UNIT, {"unit": None}),
        (_UNIT, {"unit": "k", "size": 1.5}),
        (_UNIT, []),
        ({"properties": {"a": _UNIT}}, {"a": {}}),
        ({"properties": {"a": _UNIT | {"default": {}}}}, {}),
        ({"items": _UNIT}, [{}, 1, {"unit": "k"}]),
        ({"properties": {"l": {"items": _UNIT}}}, {"l": [{}, {}]}),
        ({"$ref": "#/$defs/u", "$defs": {"u": _UNIT}}, {}),
        ({"properties": {"a": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": _UNIT}}, {"a": {}}),
        ({"properties": {"a": {"$ref": "#/nowhere/at/all", "default": 1}}}, {}),
        ({"properties": {"a": {"anyOf": [_UNIT]}}}, {"a": {}}),
        (_ITSELF, {"more": {"more": {}}}),
        (_ITSELF, _DEEP),
        ({}, {"a": 1}),
        (True, {"a": 1}),
    ],
)
def test_the_same_as_the_orchestrator(schema: Any, value: Any) -> None:
    expected = copy.deepcopy(value)
    fill = compile_defaults(schema) if isinstance(schema, dict) else None
    if fill is not None:
        fill(expected)
    assert json.loads(with_defaults(json.dumps(value), json.dumps(schema))) == expected


def test_a_text_that_leaves_nothing_out_stays_as_it_is() -> None:
    assert with_defaults('{ "unit" : "k","size":1.50}', json.dumps(_UNIT)) == '{ "unit" : "k","size":1.50}'
    assert with_defaults('{"a":1}', "") == '{"a":1}'


def test_what_is_no_json() -> None:
    with pytest.raises(NotJsonError, match="there twice"):
        with_defaults('{"a":1,"a":2}', "{}")
