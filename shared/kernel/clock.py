"""The one source of time. Nothing else reads the clock, so that a test can hold it still."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Wall time for the record, monotonic time for durations; the two are never mixed."""

    def now(self) -> datetime:
        """Wall time, aware, in UTC."""
        ...

    def time_ns(self) -> int:
        """Wall time as nanoseconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary point; never goes back, unaffected by steps of the wall clock."""
        ...


class SystemClock:
    """The machine's clock."""

    # The functions themselves: what runs for every call should not pay for a wrapper.
    time_ns = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        return datetime.now(UTC)


def _steady_ns() -> int:
    """Goes on while the machine sleeps, where it has such a clock; nobody can set it."""
    try:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    except AttributeError:
        return time.monotonic_ns()


class AnchoredClock:
    """The machine's wall time at the start, carried on by a clock that nobody can set: steps of it move nothing.

    `anchor` holds it to another clock, that several processes agree on. From the first time on it never goes back.
    """

    monotonic = staticmethod(time.monotonic)

    def __init__(self, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = _steady_ns) -> None:
        self._steady = steady
        self._offset = wall() - steady()
        self._floor = 0

    def now(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.time_ns() // 1000)

    def time_ns(self) -> int:
        wall = self._steady() + self._offset
        return wall if wall > self._floor else self._floor

    def anchor(self, reading: int, age: float) -> None:
        """What another clock said, at some time within the last `age` seconds: no nearer than that is it known."""
        before = self.time_ns()
        least = reading - self._steady()
        self._offset = min(max(self._offset, least), least + round(age * 1e9))
        # The machine's own may have been an hour ahead: who waits that long for the other one misses every deadline.
        self._floor = before if self._floor else self.time_ns()
