"""References inside arguments: `{"$from": KEY, "path": POINTER, "default": ANY}` and `{"$literal": X}`.

Found once, when a proposal is added; filled in with results when its dependencies are done.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from orchestrator_svc.domain.canonical import JsonError, canonical, write

MAX_BOUND_BYTES = 1 << 20
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_ALLOWED = frozenset({"$from", "path", "default"})
_REFUSED = {
    "$secret": "secrets are not supported here",
    "$param": "parameters stand in templates only",
}


class ReferenceFault(ValueError):
    """What is wrong with a reference: `path` is the place in the arguments (JSON Pointer), `problem` for people."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path or '/'}: {problem}")
        self.path = path
        self.problem = problem


class BoundTooLargeFault(ReferenceFault):
    """With its references filled in, the whole is over 1 MiB."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One place to fill: the result of `key`, or the part of it that `pointer` names, else `default`."""

    key: str
    pointer: str
    has_default: bool
    default: Any


@dataclass(frozen=True, slots=True)
class References:
    """All references of one proposal's arguments, and whether there are literals to unwrap."""

    items: tuple[Reference, ...]

    def by_key(self) -> dict[str, bool]:
        """Key -> whether every reference to it has a default (then FINISHED is enough)."""
        keys: dict[str, bool] = {}
        for item in self.items:
            keys[item.key] = keys.get(item.key, True) and item.has_default
        return keys


def find_references(value: Any) -> References | None:
    """None where nothing is to be filled or unwrapped. Raises ReferenceFault."""
    found: list[Reference] = []
    special = False
    for path, node in _objects(value, ""):
        dollars = _dollars(node)
        if dollars == ["$literal"]:
            _refuse_others(path, node, frozenset({"$literal"}))
            special = True
        elif dollars == ["$from"]:
            found.append(_reference(path, node))
            special = True
        elif len(dollars) == 1 and dollars[0] in _REFUSED:
            raise ReferenceFault(path, f"{dollars[0]}: {_REFUSED[dollars[0]]}")
    return References(tuple(found)) if special else None


def may_have_references(text: str) -> bool:
    """A cheap look that never says no wrongly."""
    return "$" in text or "\\u0024" in text


def fill(arguments: str, results: Mapping[str, str | None]) -> tuple[Any, str, tuple[str, ...]]:
    """Returns the bound value, its canonical text, and the keys that gave nothing (their defaults stand).

    `results`: key -> JSON text of its result, None where it did not succeed. Raises ReferenceFault where a reference
    without default finds nothing, BoundTooLargeFault where the whole is over 1 MiB.
    """
    value, _ = canonical(arguments)
    parsed: dict[str, Any] = {}
    missing: dict[str, None] = {}
    size = 0
    for key, text in results.items():
        if text is not None:
            size += len(text)
            try:
                parsed[key] = canonical(text)[0]
            except JsonError as error:
                raise ReferenceFault("", f"the result of {key!r} cannot be read: {error}") from None
    bound = _fill(value, "", parsed, missing)
    try:
        text = write(bound)
    except JsonError as error:
        raise ReferenceFault("", str(error)) from None
    if len(text.encode()) > MAX_BOUND_BYTES:
        raise BoundTooLargeFault("", f"the bound arguments have more than {MAX_BOUND_BYTES:,} bytes; refer to less")
    return bound, text, tuple(missing)


def _objects(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that could be special; not what stands inside a reference or a literal."""
    if isinstance(value, dict):
        node = cast(dict[str, Any], value)
        yield path, node
        if _dollars(node) in (["$literal"], ["$from"]):
            return
        for name, item in node.items():
            yield from _objects(item, f"{path}/{_escape(name)}")
    elif isinstance(value, list):
        for position, item in enumerate(cast(list[Any], value)):
            yield from _objects(item, f"{path}/{position}")


def _reference(path: str, node: dict[str, Any]) -> Reference:
    _refuse_others(path, node, _ALLOWED)
    key, pointer = node["$from"], node.get("path", "")
    if not isinstance(key, str) or not key:
        raise ReferenceFault(path, "$from must be the key of another proposal")
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise ReferenceFault(path, "path must be a JSON Pointer: empty, or beginning with '/'")
    return Reference(key, pointer, "default" in node, node.get("default"))


def _refuse_others(path: str, node: dict[str, Any], allowed: frozenset[str]) -> None:
    for name in node:
        if name not in allowed:
            raise ReferenceFault(path, f"{name!r} is not a member of a reference; to send it as data use $literal")


def _fill(value: Any, path: str, results: Mapping[str, Any], missing: dict[str, None]) -> Any:
    if isinstance(value, list):
        items = enumerate(cast(list[Any], value))
        return [_fill(item, f"{path}/{position}", results, missing) for position, item in items]
    if not isinstance(value, dict):
        return value
    node = cast(dict[str, Any], value)
    if "$literal" in node and len(node) == 1:
        return node["$literal"]
    if _dollars(node) == ["$from"]:
        return _look_up(_reference(path, node), path, results, missing)
    return {name: _fill(item, f"{path}/{_escape(name)}", results, missing) for name, item in node.items()}


def _look_up(reference: Reference, path: str, results: Mapping[str, Any], missing: dict[str, None]) -> Any:
    if reference.key not in results:
        missing[reference.key] = None
        if reference.has_default:
            return reference.default
        raise ReferenceFault(path, f"{reference.key!r} gave no result, and the reference has no default")
    node = results[reference.key]
    for token in reference.pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        found, node = _step(node, token)
        if found:
            continue
        if reference.has_default:
            missing[reference.key] = None
            return reference.default
        raise ReferenceFault(path, f"the result of {reference.key!r} has nothing at {reference.pointer!r}")
    return node


def _step(node: Any, token: str) -> tuple[bool, Any]:
    """One token of a JSON Pointer down."""
    if isinstance(node, dict):
        members = cast(dict[str, Any], node)
        return token in members, members.get(token)
    if isinstance(node, list) and _INDEX.fullmatch(token):
        items = cast(list[Any], node)
        return int(token) < len(items), items[int(token)] if int(token) < len(items) else None
    return False, None


def _dollars(value: dict[str, Any]) -> list[str]:
    return [name for name in value if name.startswith("$")]


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
