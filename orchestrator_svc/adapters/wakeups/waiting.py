"""Wakes that wait: each once, and never more than so many."""

from collections.abc import Iterable

from orchestrator_svc.ports.wakeups import Wake, WakeKind

MOST = 10_000


class WaitingWakes:
    """More than `MOST` become one MISSED, which says what they say and more."""

    def __init__(self) -> None:
        self._wakes: dict[Wake, int] = {}

    def __bool__(self) -> bool:
        return bool(self._wakes)

    def add(self, wakes: Iterable[Wake]) -> None:
        """In any order: of a batch's MOVED the highest head stays."""
        for wake in wakes:
            key = wake._replace(head=0)
            self._wakes[key] = max(wake.head, self._wakes.get(key, 0))
        if len(self._wakes) > MOST:
            self._wakes = {Wake(WakeKind.MISSED): 0}

    def take(self) -> list[Wake]:
        """All of them; none are left."""
        wakes, self._wakes = self._wakes, {}
        return [wake._replace(head=head) if head else wake for wake, head in wakes.items()]
