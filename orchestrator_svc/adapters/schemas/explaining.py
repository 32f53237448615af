"""Says what is wrong with a value, step by step: one alternative of a union is followed, and no step is taken twice.

The library explains every alternative of every union within every other: with a type that holds itself that is
exponential, in time and memory, where to tell whether a value fits is not. So that is all that it is asked here.
"""

import json
from collections.abc import Callable
from typing import Any, Protocol, cast

from orchestrator_svc.adapters.schemas.weighing import resolve, weigh
from orchestrator_svc.domain.template.values import is_list, is_object
from orchestrator_svc.ports.schemas import Violation

_LEAST_BUDGET = 100_000
_SHOWN = 8  # alternatives by name
_QUOTED = 80
_LOCAL = (
    frozenset({"type", "enum", "const", "pattern", "uniqueItems", "multipleOf"})
    | {limit + what for limit in ("min", "max") for what in ("imum", "Length", "Items", "Properties")}
    | {"exclusiveMinimum", "exclusiveMaximum"}
)
_WHOLE = frozenset({"const", "enum", "uniqueItems"})  # look further into a value than its outline
_ELSEWHERE = frozenset({"$ref", "$defs", "title", "description", "default", "examples", "$schema", "$comment"})


class Checks(Protocol):
    """What decides, of one schema."""

    def fits(self, pointer: str, value: object) -> bool:
        """Whether a value fits the schema that stands at this JSON Pointer in the whole one."""
        ...

    def fit(self, pointer: str, values: list[Any]) -> bool:
        """Whether all of them do."""
        ...

    def fits_alone(self, schema: dict[str, Any], value: object) -> bool:
        """Whether it fits a schema that refers to nothing."""
        ...


class Explanation:
    """Of one value that does not fit; used once. What it costs is bounded by `budget`, nodes that are checked."""

    def __init__(self, root: dict[str, Any] | bool, nodes: int, checks: Checks, most: int) -> None:
        """`nodes`: of the schema, which is what the first use of a part of it costs."""
        self._root, self._nodes, self._checks, self._most = root, nodes, checks, most
        self._used: set[str] = set()
        self._weights: dict[int, int] = {}
        self._seen: set[tuple[str, str]] = set()
        self.found: list[Violation] = []
        self.budget = 0

    def explain(self, value: object) -> list[Violation]:
        """At least one violation, `most` at most."""
        self.budget = max(_LEAST_BUDGET, 8 * weigh(value))
        self._at("", value, "")
        return self.found

    def _at(self, pointer: str, value: object, path: str) -> None:
        """Adds what is wrong with a value that does not fit the schema at `pointer`."""
        if self._is_over() or (pointer, path) in self._seen:
            return
        self._seen.add((pointer, path))
        schema = resolve(self._root, "#" + pointer)
        if not is_object(schema) or self.budget <= 0:
            self._add(path, f"{_quote(value)} {'does not fit its schema' if schema else 'is not allowed here'}")
            return
        before = len(self.found)
        keywords = schema
        self._own(keywords, value, path)
        steps: tuple[Callable[[str, dict[str, Any], Any, str], None], ...] = (self._members, self._items, self._parts)
        for step in steps:
            step(pointer, keywords, value, path)
        if len(self.found) == before:
            names = ", ".join(sorted(keywords.keys() - _ELSEWHERE)[:_SHOWN])
            self._add(path, f"{_quote(value)} does not fit its schema{f' ({names})' if names else ''}")

    def _own(self, schema: dict[str, Any], value: object, path: str) -> None:
        """The keywords that say something of the value itself."""
        if is_object(value) and isinstance(schema.get("required"), list):
            missing = [name for name in schema["required"] if name not in value]
            for name in missing[: self._most]:
                self._add(path, f'"{name[:_QUOTED]}" is a required property')
        outline = _outline(value)
        for name in sorted(schema.keys() & _LOCAL):
            if not self._fits_alone({name: schema[name]}, value if name in _WHOLE else outline):
                self._add(path, _said(name, schema[name], value))

    def _members(self, pointer: str, schema: dict[str, Any], value: Any, path: str) -> None:
        if not is_object(value):
            return
        members = value
        known = schema.get("properties", {})
        for name in [name for name in members if name in known]:
            self._step(f"{pointer}/properties/{escape(name)}", members[name], f"{path}/{escape(name)}")
        if "additionalProperties" not in schema or "patternProperties" in schema:
            return
        for name in [name for name in members if name not in known]:
            if self._is_over():
                return
            if schema["additionalProperties"] is False:
                self._add(path, f"Additional properties are not allowed ('{name[:_QUOTED]}' was unexpected)")
            else:
                self._step(f"{pointer}/additionalProperties", members[name], f"{path}/{escape(name)}")

    def _items(self, pointer: str, schema: dict[str, Any], value: Any, path: str) -> None:
        if not is_list(value):
            return
        items = value
        first = len(schema.get("prefixItems", ()))
        for position, item in enumerate(items[:first]):
            self._step(f"{pointer}/prefixItems/{position}", item, f"{path}/{position}")
        if "items" in schema:
            self._among(pointer + "/items", items, first, len(items), path)

    def _among(self, pointer: str, items: list[Any], begin: int, end: int, path: str) -> None:
        """Finds those that do not fit by halves: there may be very many that do."""
        if self._is_over() or begin >= end:
            return
        part = items[begin:end]
        self.budget -= weigh(part)
        if self._checks.fit(pointer, part):
            return
        if end - begin == 1:
            self._at(pointer, part[0], f"{path}/{begin}")
            return
        middle = (begin + end) // 2
        self._among(pointer, items, begin, middle, path)
        self._among(pointer, items, middle, end, path)

    def _parts(self, pointer: str, schema: dict[str, Any], value: Any, path: str) -> None:
        """Schemas for the same value."""
        target = schema.get("$ref")
        if isinstance(target, str) and resolve(self._root, target) is not None:
            self._step(target[1:], value, path)
        for position in range(len(schema.get("allOf", ()))):
            self._step(f"{pointer}/allOf/{position}", value, path)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                self._alternatives(f"{pointer}/{keyword}", schema[keyword], value, path)

    def _alternatives(self, pointer: str, alternatives: list[Any], value: Any, path: str) -> None:
        """Goes on in the alternative that was meant; where none looks like it, names them all."""
        places = [f"{pointer}/{position}" for position in range(len(alternatives))]
        meant = [place for place in places if self._looks_meant(place, value)]
        fitting = [place for place in meant if self._fits(place, value)]
        names = ", ".join(self._name(place) for place in places[:_SHOWN]) + (", ..." if places[_SHOWN:] else "")
        if fitting:
            if pointer.endswith("/oneOf") and len(fitting) > 1:
                self._add(path, f"{_quote(value)} fits more than one of: {names}")
        elif (is_object(value) or is_list(value)) and meant:
            self._at(max(meant, key=lambda place: self._has_required(place, value)), value, path)
        else:
            self._add(path, f"{_quote(value)} fits none of: {names}")

    def _step(self, pointer: str, value: object, path: str) -> None:
        if not self._is_over() and not self._fits(pointer, value):
            self._at(pointer, value, path)

    def _looks_meant(self, pointer: str, value: Any) -> bool:
        """By its type, and by the members that can only have one value: what does not, does not fit."""
        schema = self._follow(pointer)
        head: dict[str, Any] = {"type": schema["type"]} if "type" in schema else {}
        tags = _tags(schema)
        if not is_object(value):
            return self._fits_alone(head, _outline(value))
        members = value
        head["properties"] = {name: {"const": tag} for name, tag in tags.items()}
        return self._fits_alone(head, {name: members[name] for name in tags if name in members})

    def _has_required(self, pointer: str, value: Any) -> bool:
        return is_object(value) and all(name in value for name in self._follow(pointer).get("required", ()))

    def _name(self, pointer: str) -> str:
        schema = self._follow(pointer)
        tags = ", ".join(f"{name}: {_quote(tag)}" for name, tag in list(_tags(schema).items())[:2])
        name = schema.get("title") or schema.get("const") or schema.get("type") or pointer.rpartition("/")[2]
        return str(name)[:_QUOTED] + (f" ({tags})" if tags else "")

    def _follow(self, pointer: str) -> dict[str, Any]:
        """The schema there, or the one that it refers to."""
        schema = resolve(self._root, "#" + pointer)
        followed = 0
        while is_object(schema) and "$ref" in schema and followed < _SHOWN:
            schema = resolve(self._root, schema["$ref"])
            followed += 1
        return schema if is_object(schema) else {}

    def _fits(self, pointer: str, value: object) -> bool:
        self._spend(value)
        if pointer not in self._used:
            self._used.add(pointer)
            self.budget -= self._nodes
        return self._checks.fits(pointer, value)

    def _fits_alone(self, schema: dict[str, Any], value: object) -> bool:
        self.budget -= weigh(value)
        return self._checks.fits_alone(schema, value)

    def _spend(self, value: object) -> None:
        weight = self._weights.get(id(value))
        if weight is None:
            weight = self._weights[id(value)] = weigh(value)
        self.budget -= weight

    def _is_over(self) -> bool:
        return len(self.found) >= self._most or (self.budget <= 0 and bool(self.found))

    def _add(self, path: str, message: str) -> None:
        if len(self.found) < self._most:
            self.found.append(Violation(path, message))


def escape(part: object) -> str:
    """One step of a JSON Pointer."""
    return str(part).replace("~", "~0").replace("/", "~1")


def _outline(value: object) -> object:
    """The value without what is in its members."""
    if is_object(value):
        return dict.fromkeys(value, 0)
    return [0] * len(value) if is_list(value) else value


def _tags(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    return {name: one["const"] for name, one in properties.items() if is_object(one) and "const" in one}


def _said(keyword: str, wanted: object, value: object) -> str:
    if keyword == "type":
        names = cast(list[str], wanted) if isinstance(wanted, list) else [str(wanted)]
        return f"{_quote(value)} is not of type {', '.join(_quote(name) for name in names)}"
    return f"{_quote(value)} does not fit {keyword}: {_quote(wanted)}"


def _quote(value: object) -> str:
    """As JSON, where that is short."""
    if is_object(value) or is_list(value):
        return "the object" if is_object(value) else "the array"
    if isinstance(value, str) and len(value) > _QUOTED:
        value = value[:_QUOTED] + "…"
    return json.dumps(value, ensure_ascii=False)[: 2 * _QUOTED]
