"""Whether this process stood still as a whole: stopped, frozen, or without a processor. Then no call is to blame.

A thread that waits for the interpreter's lock wakes up every 5 ms, one that holds it and computes is switched too. In a
process that stands still nothing is switched at all.
"""

import resource
import threading
from collections.abc import Callable

from shared.kernel.clock import Clock

_ALIVE = 40
"""Switches a second; one that is held by a call has more than a hundred, one that is stopped about ten."""


def _switches() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw + usage.ru_nivcsw


class Standstill:
    """Looked at often, by a thread that waits in between. A gap of more than `shortest` s may be a standstill."""

    def __init__(self, clock: Clock, shortest: float, switches: Callable[[], int] = _switches) -> None:
        self._clock, self._shortest, self._switches = clock, shortest, switches
        self._lock = threading.Lock()
        self._at, self._seen = clock.monotonic(), switches()
        self.total = 0.0
        """Seconds in which nothing ran, so far."""

    def begin(self) -> None:
        """Nobody has looked for a while, and now somebody will."""
        with self._lock:
            self._at, self._seen = self._clock.monotonic(), self._switches()

    def look(self) -> None:
        """From any thread."""
        with self._lock:
            now, seen = self._clock.monotonic(), self._switches()
            gap = now - self._at
            if gap > self._shortest and seen - self._seen < gap * _ALIVE:
                self.total += gap
            self._at, self._seen = now, seen

    def since(self, total: float) -> float:
        """Seconds of standing still since it was `total`."""
        self.look()
        return self.total - total
