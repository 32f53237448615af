"""How long the event loop's own thread waited for the interpreter's lock while another thread held it.

A thread that waits for the lock is woken once every switch interval, to ask for it; one that sleeps or waits for
something else is woken rarely, and one that computes has processor time. One that sleeps shortly, or talks to a server,
over and over is woken as often: so there must be others who held it. They were at the processor meanwhile, or kept the
watching thread from the lock as well.
"""

import resource
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from executor_svc.application.standstill import Standstill
from shared.kernel.clock import Clock

_LATE = 10
"""Switch intervals. On a busy machine who waits for the lock is woken that late, and counts as waiting all the same."""


class Spent(NamedTuple):
    """By the thread that asks, so far: its processor time in s, how often it was woken; and the time of all threads."""

    own: float
    woken: int
    together: float


def _spent() -> Spent:
    """Where the system does not count by thread nobody is known to have waited."""
    if sys.platform != "linux":
        return Spent(0.0, 0, 0.0)
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return Spent(usage.ru_utime + usage.ru_stime, usage.ru_nvcsw, time.process_time())


class LockWait:
    """Of the thread that makes it, which alone uses it. `mark` costs about as much as ten looks at the clock: so it is
    not done for each step, but now and then, and what is asked about begins a little earlier than the step."""

    def __init__(self, clock: Clock, standstill: Standstill, spent: Callable[[], Spent] = _spent) -> None:
        self._clock, self._standstill, self._spent = clock, standstill, spent
        self.mark()

    def mark(self) -> None:
        """What is asked about next begins here."""
        self._at, self._locked, self._before = self._clock.monotonic(), self._standstill.locked, self._spent()

    def waited(self) -> float:
        """Seconds since the last mark, at most; and marks. To be asked once the watching thread has looked."""
        at, locked, before = self._at, self._locked, self._before
        self.mark()
        own, together = self._before.own - before.own, self._before.together - before.together
        idle = self._at - at - own
        awake = (self._before.woken - before.woken) * _LATE * sys.getswitchinterval()
        held = max(self._standstill.locked - locked, together - own)
        return max(0.0, min(idle, awake, held))
