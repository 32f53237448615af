"""How often a validator would look at a value. It tries every alternative of a union within every other, so with a type
that holds itself the work doubles with each level of nesting, for values that fit as for those that do not. A
discriminator ends that: then one alternative is tried."""

import json
from collections.abc import Callable, Iterator
from typing import Any, cast

_FREE = 10_000
_FOR_EACH_NODE = 32
TOO_MANY = (
    "nested too deeply for a type of several alternatives that hold one another, each of which would be tried within "
    "each other; the tool can give them a discriminator"
)


def step_counter(schema_json: str) -> Callable[[str], None] | None:
    """What raises ValueError for JSON text that would take too long to validate; None where no text would."""
    schema = json.loads(schema_json)
    definitions = cast(dict[str, Any], schema.get("$defs", {}))
    within = {name: set(_references(one)) for name, one in definitions.items()}
    if '"anyOf"' not in schema_json or not any(_reaches(name, name, within) for name in within):
        return None

    def check(text: str) -> None:
        steps = _Steps(definitions)
        try:
            taken = steps.count(schema, json.loads(text))
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if taken > _FREE + _FOR_EACH_NODE * steps.nodes:
            raise ValueError(TOO_MANY)

    return check


class _Steps:
    """Counts without taking them: what one schema makes of one value is counted once."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self._known: dict[tuple[int, int], int] = {}
        self._values: set[int] = set()

    @property
    def nodes(self) -> int:
        """Containers and their members that were looked at."""
        return len(self._values)

    def count(self, schema: Any, value: Any) -> int:
        if not isinstance(value, dict | list) or not isinstance(schema, dict):
            return 1
        key = (id(cast(object, schema)), id(cast(object, value)))
        known = self._known.get(key)
        if known is None:
            self._values.add(key[1])
            self._known[key] = 1  # a schema that is nothing but itself
            known = self._known[key] = 1 + self._count(cast(dict[str, Any], schema), cast(Any, value))
        return known

    def _count(self, schema: dict[str, Any], value: Any) -> int:
        pairs = [(one, value) for one in self._for_the_same(schema, value)]
        if isinstance(value, dict):
            known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
            pairs += [(known.get(name, other), member) for name, member in cast(dict[str, Any], value).items()]
        else:
            first, other = schema.get("prefixItems", ()), schema.get("items", True)
            items = enumerate(cast(list[Any], value))
            pairs += [(first[at] if at < len(first) else other, item) for at, item in items]
        steps = 0
        for one, within in pairs:  # no generator: Python's stack is what limits the depth
            steps += self.count(one, within)
        return steps

    def _for_the_same(self, schema: dict[str, Any], value: Any) -> list[Any]:
        """Schemas that are tried with the same value."""
        tried: list[Any] = [*schema.get("anyOf", ()), *schema.get("allOf", ())]
        if "$ref" in schema:
            tried.append(self._definition(schema["$ref"]))
        if "discriminator" not in schema:
            return [*tried, *schema.get("oneOf", ())]
        chosen = schema["discriminator"]
        tag = cast(dict[str, Any], value).get(chosen["propertyName"]) if isinstance(value, dict) else None
        target = chosen.get("mapping", {}).get(tag) if isinstance(tag, str) else None
        return tried if target is None else [*tried, self._definition(target)]

    def _definition(self, reference: object) -> Any:
        return self._definitions.get(str(reference).rpartition("/")[2], True)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        members = cast(dict[str, Any], schema)
        if isinstance(members.get("$ref"), str):
            yield members["$ref"].rpartition("/")[2]
        for member in members.values():
            yield from _references(member)
    elif isinstance(schema, list):
        for item in cast(list[Any], schema):
            yield from _references(item)


def _reaches(start: str, goal: str, within: dict[str, set[str]]) -> bool:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in within.get(waiting.pop(), ()):
            if name == goal:
                return True
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return False
