"""Goes through every state that a model can reach, breadth first: the first trace to a broken promise is a shortest."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

S = TypeVar("S")
Step = tuple[str, S]


@dataclass(slots=True)
class Explored(Generic[S]):
    """`broken`: what does not hold -> the steps that lead there."""

    states: int = 0
    broken: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


def explore(
    start: S, steps: Callable[[S], Iterable[Step[S]]], broken: Callable[[S], Iterator[str]], until: str = ""
) -> Explored[S]:
    """`broken` names the promises that a state breaks. Ends early once `until` is broken."""
    found = Explored[S]()
    came: dict[S, tuple[S, str] | None] = {start: None}
    waiting = deque([start])
    while waiting and until not in found.broken:
        state = waiting.popleft()
        found.states += 1
        for promise in broken(state):
            if promise not in found.broken:
                found.broken[promise] = _trace(came, state)
        for name, after in steps(state):
            if after not in came:
                came[after] = (state, name)
                waiting.append(after)
    return found


def _trace(came: dict[S, tuple[S, str] | None], state: S) -> list[str]:
    names: list[str] = []
    while (before := came[state]) is not None:
        state, name = before
        names.append(name)
    return names[::-1]
