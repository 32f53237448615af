"""Results as references see them: each is read once, each part that is referred to is written once, for many proposals.

Bounded by bytes: what was read is forgotten, and read again, before it comes to more than `KEPT_BYTES` of text.
"""

import re
from dataclasses import dataclass, field
from typing import Any, cast

from orchestrator_svc.domain.canonical import Written, parse, write

KEPT_BYTES = 4 << 20
_PART_COST = 200
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(slots=True)
class _Result:
    """`parts`: by pointer; None where it leads to nothing."""

    text: str
    value: Any
    plain: bool
    parts: dict[str, Written | None] = field(default_factory=dict[str, Written | None])


class Sources:
    """Lives as long as one step on one batch."""

    def __init__(self) -> None:
        self._results: dict[str, _Result] = {}
        self._kept = 0

    def part(self, key: str, text: str, pointer: str) -> Written | None:
        """The part of `key`'s result `text` that `pointer` names, None where there is nothing. Raises JsonError."""
        result = self._results.get(key)
        if result is None or result.text is not text:
            result = self._read(key, text)
        if pointer not in result.parts:
            part = _look_up(result, pointer)
            self._make_room(_PART_COST + len(pointer) + (part.size if part is not None else 0))
            result.parts[pointer] = part
            return part
        return result.parts[pointer]

    def _read(self, key: str, text: str) -> _Result:
        self._make_room(len(text))
        value, plain = parse(text)
        result = self._results[key] = _Result(text, value, plain)
        return result

    def _make_room(self, size: int) -> None:
        if self._kept + size > KEPT_BYTES:
            self._results.clear()
            self._kept = 0
        self._kept += size


def _look_up(result: _Result, pointer: str) -> Written | None:
    node = result.value
    for token in pointer.split("/")[1:]:
        found, node = _step(node, token.replace("~1", "/").replace("~0", "~"))
        if not found:
            return None
    return Written(write(node, plain=result.plain))


def _step(node: Any, token: str) -> tuple[bool, Any]:
    """One token of a JSON Pointer down."""
    if isinstance(node, dict):
        members = cast(dict[str, Any], node)
        return token in members, members.get(token)
    if isinstance(node, list) and _INDEX.fullmatch(token):
        items = cast(list[Any], node)
        return int(token) < len(items), items[int(token)] if int(token) < len(items) else None
    return False, None
