"""The parameters of a template: the JSON Schema of an object. Whether it is a valid schema, the compiler says later."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator_svc.domain.template import fields
from orchestrator_svc.domain.template.model import Path
from orchestrator_svc.domain.template.problems import Problems
from orchestrator_svc.domain.template.values import is_list, is_object

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
# References make the time that a check takes grow without bounds, and parameters are written by hand: spelled out.
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a template may be given. `certain`: names that always have a value (required, or with a default)."""

    schema_json: str
    names: frozenset[str]
    defaults: Mapping[str, Any]
    certain: frozenset[str]


def read_parameters(value: object, path: Path, problems: Problems) -> Parameters:
    """Absent: none. Parameters that the schema does not name are refused, unless it says otherwise."""
    schema = {"type": "object", **fields.mapping({} if value is None else value, path, problems)}
    if schema["type"] != "object":
        problems.add((*path, "type"), "must be 'object': parameters are given by name")
    properties = fields.mapping(schema.get("properties", {}), (*path, "properties"), problems)
    for name in properties:
        if not _NAME.fullmatch(name):
            problems.add((*path, "properties", name), "a parameter's name is 1-64 letters, digits, '_', '-'")
    for place in _references(schema, path):
        problems.add(place, "references are not followed in parameters: write the schema out")
    schema.setdefault("additionalProperties", False)
    defaults = {name: one["default"] for name, one in properties.items() if is_object(one) and "default" in one}
    required = schema.get("required")
    certain = {name for name in required if isinstance(name, str)} if is_list(required) else set[str]()
    names = frozenset(properties)
    return Parameters(json.dumps(schema, ensure_ascii=False), names, defaults, frozenset(certain | defaults.keys()))


def _references(value: Any, path: Path) -> Iterator[Path]:
    if is_list(value):
        for position, item in enumerate(value):
            yield from _references(item, (*path, position))
    elif is_object(value):
        for name, item in value.items():
            if name in _REFERENCES:
                yield (*path, name)
            else:
                yield from _references(item, (*path, name))
