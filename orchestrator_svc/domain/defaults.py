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
    return _compile(schema, schema, 0)


def _compile(schema: Any, root: dict[str, Any], depth: int) -> Fill | None:
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return None
    node = cast(dict[str, Any], schema)
    if "$ref" in node:
        return _compile(_resolve(node["$ref"], root), root, depth + 1)
    properties = node.get("properties")
    if isinstance(properties, dict):
        return _object(cast(dict[str, Any], properties), root, depth)
    inner = _compile(node.get("items"), root, depth + 1)
    return None if inner is None else _list(inner)


def _object(properties: dict[str, Any], root: dict[str, Any], depth: int) -> Fill | None:
    absent: dict[str, Any] = {}
    inner: dict[str, Fill] = {}
    for name, part in properties.items():
        if isinstance(part, dict) and "default" in part:
            absent[name] = part["default"]
        fill = _compile(part, root, depth + 1)
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
