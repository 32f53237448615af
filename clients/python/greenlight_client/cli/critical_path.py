"""The longest chain of measured times through real dependencies: the least that any schedule could have taken."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """`seconds` in all, and the keys along it, first to last."""

    seconds: float
    keys: tuple[str, ...]


def critical_path(seconds: Mapping[str, float], depends_on: Mapping[str, Iterable[str]]) -> CriticalPath:
    """`seconds` by key; `depends_on` names what each key waits for (names without a time count as nothing)."""
    best: dict[str, CriticalPath] = {}
    entered: set[str] = set()
    stack = list(seconds)
    while stack:
        key = stack[-1]
        waits = [name for name in depends_on.get(key, ()) if name in seconds]
        if key not in entered:
            entered.add(key)
            stack += [name for name in waits if name not in entered]
            continue
        stack.pop()
        if key not in best:
            best[key] = _longest(key, seconds[key], [best[name] for name in waits if name in best])
    return max(best.values(), key=lambda path: path.seconds, default=CriticalPath(0.0, ()))


def _longest(key: str, own: float, before: list[CriticalPath]) -> CriticalPath:
    longest = max(before, key=lambda path: path.seconds, default=CriticalPath(0.0, ()))
    return CriticalPath(longest.seconds + own, (*longest.keys, key))
