"""Who waits for whom in a batch: children by ordinal, extended when a batch grows. Refuses cycles."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from orchestrator_svc.domain.proposal import Condition


class Edge(NamedTuple):
    """`child` waits for whoever holds the edge."""

    child: int
    when: Condition


class CycleError(ValueError):
    """Ordinals that wait for each other, in order."""

    def __init__(self, ordinals: list[int]) -> None:
        super().__init__(f"cycle: {ordinals}")
        self.ordinals = ordinals


class Graph:
    """Edges from a proposal to those that wait for it. Ordinals count from 1."""

    def __init__(self) -> None:
        self._children: dict[int, list[Edge]] = {}

    def children(self, ordinal: int) -> Sequence[Edge]:
        return self._children.get(ordinal, ())

    def add(self, parents_of: Iterable[tuple[int, Sequence[tuple[int, Condition]]]]) -> None:
        """Adds proposals with their parents: (ordinal, [(parent, when)]). Call `check` first."""
        for child, parents in parents_of:
            for parent, when in parents:
                self._children.setdefault(parent, []).append(Edge(child, when))


def check_acyclic(parents: dict[int, list[int]]) -> None:
    """`parents`: new ordinals to those they wait for. Older ones cannot wait for new ones. Raises CycleError."""
    done: set[int] = set()
    for start in parents:
        if start in done:
            continue
        path: list[int] = []
        on_path: set[int] = set()
        stack: list[tuple[int, int]] = [(start, 0)]
        while stack:
            node, position = stack.pop()
            if position == 0:
                path.append(node)
                on_path.add(node)
            following = parents.get(node, [])
            if position < len(following):
                stack.append((node, position + 1))
                nxt = following[position]
                if nxt in on_path:
                    raise CycleError(path[path.index(nxt) :])
                if nxt in parents and nxt not in done:
                    stack.append((nxt, 0))
            else:
                path.pop()
                on_path.discard(node)
                done.add(node)
