"""Filling in a schema's defaults: compiled once a tool version to what there is to fill."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, cast

Fill = Callable[[Any], bool]

_MAX_DEPTH = 16


def compile_defaults(schema: dict[str, Any]) -> Fill | None:
    """Returns what fills absent members of a value in place, and says whether it did; None: there is none to fill.

    Looks at `properties`, `items` and local `$ref`; what stands under `anyOf` and the like is left as it is.
    """
    return _compile(schema, _Schema(schema), 0)


class _Schema:
    """`known`: what was compiled of it already, so that one that refers to itself many times costs no more."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        self.known: dict[tuple[int, int], Fill | None] = {}


def _compile(part: Any, schema: _Schema, depth: int) -> Fill | None:
    if not isinstance(part, dict) or depth > _MAX_DEPTH:
        return None
    node = cast(dict[str, Any], part)
    place = (id(node), depth)
    if place not in schema.known:
        schema.known[place] = _compile_anew(node, schema, depth)
    return schema.known[place]


def _compile_anew(node: dict[str, Any], schema: _Schema, depth: int) -> Fill | None:
    if "$ref" in node:
        return _compile(_resolve(node["$ref"], schema.root), schema, depth + 1)
    properties = node.get("properties")
    if isinstance(properties, dict):
        return _object(cast(dict[str, Any], properties), schema, depth)
    inner = _compile(node.get("items"), schema, depth + 1)
    return None if inner is None else _list(inner)


def _object(properties: dict[str, Any], schema: _Schema, depth: int) -> Fill | None:
    absent: dict[str, Any] = {}
    inner: dict[str, Fill] = {}
    for name, part in properties.items():
        if isinstance(part, dict) and "default" in part:
            absent[name] = part["default"]
        fill = _compile(part, schema, depth + 1)
        if fill is not None:
            inner[name] = fill
    if not absent and not inner:
        return None

    def fill_object(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        members = cast(dict[str, Any], value)
        filled = False
        for name, default in absent.items():
            if name not in members:
                members[name] = deepcopy(default)
                filled = True
        for name, fill in inner.items():
            if name in members:
                filled = fill(members[name]) or filled
        return filled

    return fill_object


def _list(inner: Fill) -> Fill:
    def fill_list(value: Any) -> bool:
        return isinstance(value, list) and sum(inner(item) for item in cast(list[Any], value)) > 0

    return fill_list


def _resolve(reference: Any, root: dict[str, Any]) -> Any:
    """A local pointer only; anything else has no defaults."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    node: Any = root
    for token in reference[2:].split("/"):
        if not isinstance(node, dict):
            return None
        node = cast(dict[str, Any], node).get(token.replace("~1", "/").replace("~0", "~"))
    return node
