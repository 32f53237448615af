"""References inside arguments: `{"$from": KEY, "path": POINTER, "default": ANY}` and `{"$literal": X}`.

Found once, when a proposal is added; filled in with results when its dependencies are done.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from orchestrator_svc.domain.canonical import JsonError, Written, parse, size_of, write
from orchestrator_svc.domain.sources import Sources

MAX_BOUND_BYTES = 1 << 20
_Place = tuple["_Place", str | int] | None
"""A place in the arguments, from the inside out: made for every node, spelt out for a fault only."""

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
    """With its references filled in, the whole is over the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__("", f"the bound arguments have more than {limit:,} bytes; refer to less")


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
    for place, node in _objects(value, None):
        dollars = _dollars(node)
        if dollars == ["$literal"]:
            _refuse_others(place, node, frozenset({"$literal"}))
            special = True
        elif dollars == ["$from"]:
            found.append(_reference(place, node))
            special = True
        elif len(dollars) == 1 and dollars[0] in _REFUSED:
            raise ReferenceFault(_render(place), f"{dollars[0]}: {_REFUSED[dollars[0]]}")
    return References(tuple(found)) if special else None


def may_have_references(text: str) -> bool:
    """A cheap look that never says no wrongly."""
    return "$" in text or "\\u0024" in text


def fill(
    arguments: str, results: Mapping[str, str | None], sources: Sources, limit: int = MAX_BOUND_BYTES
) -> tuple[str, tuple[str, ...]]:
    """Returns the canonical text of the bound arguments, and the keys that gave nothing (their defaults stand).

    `results`: key -> JSON text of its result, None where it did not succeed. What is filled in is counted before any
    of it is written. Raises ReferenceFault where a reference without default finds nothing, BoundTooLargeFault where
    the whole is over `limit` bytes.
    """
    value, _ = parse(arguments)
    filling = _Filling(results, sources, limit)
    try:
        text = write(filling.fill(value, None))
    except JsonError as error:
        raise ReferenceFault("", str(error)) from None
    if size_of(text) > limit:
        raise BoundTooLargeFault(limit)
    return text, tuple(filling.missing)


def _objects(value: Any, place: _Place) -> Iterator[tuple[_Place, dict[str, Any]]]:
    """Every object that could be special; not what stands inside a reference or a literal."""
    if isinstance(value, dict):
        node = cast(dict[str, Any], value)
        yield place, node
        if _dollars(node) in (["$literal"], ["$from"]):
            return
        for name, item in node.items():
            if isinstance(item, dict | list):
                yield from _objects(item, (place, name))
    elif isinstance(value, list):
        for position, item in enumerate(cast(list[Any], value)):
            if isinstance(item, dict | list):
                yield from _objects(item, (place, position))


def _reference(place: _Place, node: dict[str, Any]) -> Reference:
    _refuse_others(place, node, _ALLOWED)
    key, pointer = node["$from"], node.get("path", "")
    if not isinstance(key, str) or not key:
        raise ReferenceFault(_render(place), "$from must be the key of another proposal")
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise ReferenceFault(_render(place), "path must be a JSON Pointer: empty, or beginning with '/'")
    return Reference(key, pointer, "default" in node, node.get("default"))


def _refuse_others(place: _Place, node: dict[str, Any], allowed: frozenset[str]) -> None:
    for name in node:
        if name not in allowed:
            raise ReferenceFault(
                _render(place), f"{name!r} is not a member of a reference; to send it as data use $literal"
            )


class _Filling:
    """A copy of arguments with their references filled in, as long as what is filled in has at most `limit` bytes."""

    def __init__(self, results: Mapping[str, str | None], sources: Sources, limit: int) -> None:
        self.missing: dict[str, None] = {}
        self._results, self._sources = results, sources
        self._limit = self._left = limit

    def fill(self, value: Any, place: _Place) -> Any:
        if isinstance(value, list):
            items = cast(list[Any], value)
            return [self.fill(item, (place, position)) for position, item in enumerate(items)]
        if not isinstance(value, dict):
            return value
        node = cast(dict[str, Any], value)
        if "$literal" in node and len(node) == 1:
            return node["$literal"]
        if _dollars(node) == ["$from"]:
            return self._look_up(_reference(place, node), place)
        return {name: self.fill(item, (place, name)) for name, item in node.items()}

    def _look_up(self, reference: Reference, place: _Place) -> Any:
        part, text = None, self._results.get(reference.key)
        if text is not None:
            part = self._part(reference, text)
        if part is not None:
            self._left -= part.size
            if self._left < 0:
                raise BoundTooLargeFault(self._limit)
            return part
        if reference.has_default:
            self.missing[reference.key] = None
            return reference.default
        if text is None:
            raise ReferenceFault(_render(place), f"{reference.key!r} gave no result, and the reference has no default")
        problem = f"the result of {reference.key!r} has nothing at {reference.pointer!r}"
        raise ReferenceFault(_render(place), problem)

    def _part(self, reference: Reference, text: str) -> Written | None:
        try:
            return self._sources.part(reference.key, text, reference.pointer)
        except JsonError as error:
            raise ReferenceFault("", f"the result of {reference.key!r} cannot be read: {error}") from None


def _dollars(value: dict[str, Any]) -> list[str]:
    return [name for name in value if name.startswith("$")]


def _render(place: _Place) -> str:
    """As a JSON Pointer."""
    tokens: list[str] = []
    while place is not None:
        place, token = place
        tokens.append("/" + _escape(str(token)))
    return "".join(reversed(tokens))


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
