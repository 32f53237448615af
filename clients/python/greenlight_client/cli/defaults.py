"""A schema's defaults in arguments that leave them out, by the orchestrator's rule: what is shown is what runs."""

import json
from copy import deepcopy
from typing import Any, cast

from greenlight_client.cli.inputs import strict_json

_MAX_DEPTH = 16


def with_defaults(arguments: str, schema: str) -> str:
    """The text as it is where there is nothing to fill in. Raises NotJsonError."""
    value, root = strict_json(arguments), json.loads(schema or "{}")
    return json.dumps(value) if _fill(value, root, root, 0) else arguments


def _fill(value: Any, part: Any, root: Any, depth: int) -> bool:
    """In place; whether there was anything to fill in."""
    if not isinstance(part, dict) or depth > _MAX_DEPTH:
        return False
    node = cast(dict[str, Any], part)
    if "$ref" in node:
        return _fill(value, _resolve(node["$ref"], root), root, depth + 1)
    properties = node.get("properties")
    if isinstance(properties, dict):
        return isinstance(value, dict) and _fill_object(
            cast(dict[str, Any], value), cast(dict[str, Any], properties), root, depth
        )
    items = cast(list[Any], value) if isinstance(value, list) else []
    return sum(_fill(item, node.get("items"), root, depth + 1) for item in items) > 0


def _fill_object(value: dict[str, Any], properties: dict[str, Any], root: Any, depth: int) -> bool:
    filled = False
    for name, part in properties.items():
        if name not in value and isinstance(part, dict) and "default" in part:
            value[name] = deepcopy(cast(dict[str, Any], part)["default"])
            filled = True
        if name in value:
            filled = _fill(value[name], part, root, depth + 1) or filled
    return filled


def _resolve(reference: Any, root: Any) -> Any:
    """A local pointer only; anything else has no defaults."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    node = root
    for token in reference[2:].split("/"):
        node = (
            cast(dict[str, Any], node).get(token.replace("~1", "/").replace("~0", "~"))
            if isinstance(node, dict)
            else None
        )
    return node
