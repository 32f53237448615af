"""Whether this process stood still as a whole: stopped, frozen, or without a processor. Then no call is to blame.

A thread that waits for the interpreter's lock is woken every 5 ms, or more often; in a process that stands still
nothing is. So the watching thread counts how often it was woken itself.
"""

import resource
import sys
import threading
from collections.abc import Callable

from shared.kernel.clock import Clock

_WOKEN = 40
"""Times a second: less than half of what a thread is that waits for the lock, and many times what a stopped one is."""
_PATIENCE = 1.0


def _own_switches() -> int:
    """Where the system does not count by thread, of all: then a standstill is seen less often."""
    who = resource.RUSAGE_THREAD if sys.platform == "linux" else resource.RUSAGE_SELF
    return resource.getrusage(who).ru_nvcsw


class Standstill:
    """One thread waits by `pause`, over and over. A gap of more than `shortest` s between two looks may be one."""

    def __init__(self, clock: Clock, shortest: float, switches: Callable[[], int] = _own_switches) -> None:
        self._clock, self._shortest, self._switches = clock, shortest, switches
        self._asked = threading.Event()
        self._looked = threading.Condition()
        self._looks = self._seen = 0
        self._at = clock.monotonic()
        self.total = 0.0
        """Seconds in which nothing ran, so far."""
        self.locked = 0.0
        """Seconds in which another thread held the interpreter's lock, and kept the watching one from it."""

    def begin(self) -> None:
        """The watching thread has rested, and is about to go on."""
        self._at = self._clock.monotonic()

    def rouse(self) -> None:
        """Ends the watching thread's pause."""
        self._asked.set()

    def pause(self, seconds: float) -> None:
        """Of the watching thread."""
        self._asked.wait(seconds)
        self._asked.clear()
        self.look()

    def look(self) -> None:
        now, seen = self._clock.monotonic(), self._switches()
        gap = now - self._at
        with self._looked:
            if gap > self._shortest:
                if seen - self._seen < gap * _WOKEN:
                    self.total += gap
                else:
                    self.locked += gap
            self._at, self._seen = now, seen
            self._looks += 1
            self._looked.notify_all()

    def since(self, total: float) -> float:
        """Seconds of standing still since it was `total`. Has the watching thread look once more, and waits."""
        with self._looked:
            looks = self._looks
            self.rouse()
            self._looked.wait_for(lambda: self._looks > looks, _PATIENCE)
            return self.total - total
