"""One heap for all that happens by itself. Wall times become monotonic ones on entry: clock steps move nothing."""

import heapq
from collections.abc import Callable
from itertools import count

from orchestrator_svc.domain.changes import Timer, TimerKind
from shared.kernel.clock import Clock

FEW = 4_096
_SECOND = 1_000_000_000
_Entry = tuple[float, int, str, Timer]


class Timers:
    """A timer's token tells whether it still means something. `live`: whether a batch is in memory; entries of others
    go when there are as many again as the last time: each is looked at a few times at the most."""

    def __init__(self, clock: Clock, live: Callable[[str], bool]) -> None:
        self._clock, self._live = clock, live
        self._heap: list[_Entry] = []
        self._order = count()
        self._most = FEW
        self._graces = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, batch_id: str, timers: list[Timer], now: int) -> None:
        """`now`: wall time (ns) at which the timers were made."""
        monotonic = self._clock.monotonic()
        for timer in timers:
            due = monotonic + (timer.due - now) / _SECOND
            heapq.heappush(self._heap, (due, next(self._order), batch_id, timer))
            if timer.kind is TimerKind.GRACE:
                self._graces += 1
        if len(self._heap) > self._most:
            self._put([entry for entry in self._heap if self._live(entry[2])])
            self._most = max(FEW, 2 * len(self._heap))

    @property
    def awaits_executors(self) -> bool:
        """Whether any is for an executor's answer (GRACE)."""
        return self._graces > 0

    def excuse(self, seconds: float) -> None:
        """Nobody listened for so long: what executors have to answer in is longer."""
        if self._graces:
            heap = self._heap
            self._put([(due + _extra(timer, seconds), order, batch_id, timer) for due, order, batch_id, timer in heap])

    def due_in(self) -> float | None:
        """Seconds until the next one; None: there is none."""
        return max(0.0, self._heap[0][0] - self._clock.monotonic()) if self._heap else None

    def take_due(self) -> list[tuple[str, Timer]]:
        """In order of their times."""
        monotonic = self._clock.monotonic()
        taken: list[tuple[str, Timer]] = []
        while self._heap and self._heap[0][0] <= monotonic:
            _, _, batch_id, timer = heapq.heappop(self._heap)
            taken.append((batch_id, timer))
            if timer.kind is TimerKind.GRACE:
                self._graces -= 1
        return taken

    def _put(self, heap: list[_Entry]) -> None:
        self._heap = heap
        heapq.heapify(heap)
        self._graces = sum(timer.kind is TimerKind.GRACE for _, _, _, timer in heap)


def _extra(timer: Timer, seconds: float) -> float:
    return seconds if timer.kind is TimerKind.GRACE else 0.0
