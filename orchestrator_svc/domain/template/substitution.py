"""Parameters inside arguments: an object `{"$param": NAME}` is replaced by the parameter's typed value.

A value is data: one that could be taken for a reference is wrapped in `$literal`, so that nobody who merely gives
parameters makes a proposal read another's result.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator_svc.domain.template.model import Path
from orchestrator_svc.domain.template.values import is_list, is_object

PARAM = "$param"


def parameters_in(value: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every `$param` object with its place; what stands in `$literal` is data."""
    if is_list(value):
        for position, item in enumerate(value):
            yield from parameters_in(item, (*path, position))
    elif is_object(value):
        if PARAM in value:
            yield path, value
        elif "$literal" not in value:
            for name, item in value.items():
                yield from parameters_in(item, (*path, name))


def references_in(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Place and key of every reference in arguments whose references were found well-formed."""
    if is_list(value):
        for position, item in enumerate(value):
            yield from references_in(item, (*path, position))
    elif is_object(value):
        if _is_reference(value):
            yield path, value["$from"]
        elif "$literal" not in value:
            for name, item in value.items():
                yield from references_in(item, (*path, name))


def substitute(value: Any, values: Mapping[str, Any], *, in_default: bool = False) -> Any:
    """A copy with every `$param` filled in. `in_default`: inside a reference's default, which is data already."""
    if is_list(value):
        return [substitute(item, values, in_default=in_default) for item in value]
    if not is_object(value) or "$literal" in value:
        return value
    if PARAM in value:
        filled = values[value[PARAM]]
        return {"$literal": filled} if not in_default and _looks_special(filled) else filled
    inside = in_default or _is_reference(value)
    return {name: substitute(item, values, in_default=inside) for name, item in value.items()}


def _is_reference(value: dict[str, Any]) -> bool:
    return [name for name in value if name.startswith("$")] == ["$from"]


def _looks_special(value: Any) -> bool:
    if is_list(value):
        return any(_looks_special(item) for item in value)
    if is_object(value):
        return any(name.startswith("$") or _looks_special(item) for name, item in value.items())
    return False
