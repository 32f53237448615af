"""The one source of time. Nothing else reads the clock, so that a test can hold it still."""

import time
from datetime import UTC, datetime
from typing import Protocol


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
