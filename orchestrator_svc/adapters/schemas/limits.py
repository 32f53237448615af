"""How large a schema may be, and how much a value may take to check by it."""

from collections.abc import Iterator
from dataclasses import dataclass

import jsonschema_rs

from orchestrator_svc.adapters.schemas.weighing import members_of, weigh
from orchestrator_svc.domain.template.values import is_object

_SIZES = (1 << 12, 1 << 14, 1 << 16)  # of a compiled pattern; tried in turn
_BYTES_OF_A_STATE = 24
_LARGEST_VALUE = 1 << 18  # by weight: a mebibyte


@dataclass(frozen=True, slots=True)
class Limits:
    """`checks`: nodes of the schema times nodes of the value (or every four bytes of it, where those are more).
    `pattern_steps`: states of the patterns times bytes of the value; None: not counted."""

    nodes: int
    patterns: int
    pattern_characters: int
    pattern_bytes: int
    checks: int
    pattern_steps: int | None


TOOLS = Limits(20_000, 500, 50_000, 1 << 20, 100_000_000, None)
"""Tools come from executors, which whoever runs this service has chosen."""
PARAMETERS = Limits(2_000, 50, 5_000, 1 << 17, 5_000_000, 20_000_000)
"""Templates come from anyone."""


class Effort:
    """What one schema costs."""

    def __init__(self, schema: object, limits: Limits) -> None:
        """Raises ValueError that names the limit."""
        self._limits = limits
        self.nodes, patterns = 0, list[str]()
        for node in _nodes(schema):
            self.nodes += 1
            patterns += _patterns(node)
        characters = sum(map(len, patterns))
        for count, most, what in (
            (self.nodes, limits.nodes, "values, keywords included"),
            (len(patterns), limits.patterns, "patterns"),
            (characters, limits.pattern_characters, "characters of patterns"),
        ):
            if count > most:
                raise ValueError(f"a schema with {count:,} {what}: at most {most:,} are allowed")
        self._states = 0 if limits.pattern_steps is None else sum(_states(one, limits) for one in patterns)

    @property
    def is_worth_a_look(self) -> bool:
        """Whether any value that a message can hold would be too much."""
        return self._states > 0 or self.nodes * _LARGEST_VALUE > self._limits.checks

    def find_excess(self, value: object) -> str:
        """Why the value is not checked; "" if it may be."""
        limits = self._limits
        weight = weigh(value)
        if weight * self.nodes > limits.checks:
            most = 4 * limits.checks // self.nodes
            return f"too large to be checked by a schema of {self.nodes:,} values: at most {most:,} bytes"
        if limits.pattern_steps is not None and 4 * weight * self._states > limits.pattern_steps:
            return f"too large for the patterns of its schema: at most {limits.pattern_steps // self._states:,} bytes"
        return ""


def _nodes(schema: object) -> Iterator[object]:
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(members_of(one))


def _patterns(node: object) -> list[str]:
    if not is_object(node):
        return []
    pattern, named = node.get("pattern"), node.get("patternProperties")
    return [*([pattern] if isinstance(pattern, str) else []), *(named if is_object(named) else ())]


def _states(pattern: str, limits: Limits) -> int:
    """About as many as a compiled pattern has. What is no pattern is refused where the schema is compiled."""
    for size in _SIZES:
        options = jsonschema_rs.RegexOptions(size_limit=size, dfa_size_limit=size)
        try:
            jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=options)
        except jsonschema_rs.ValidationError:
            continue
        return size // _BYTES_OF_A_STATE
    return limits.pattern_bytes // _BYTES_OF_A_STATE
