"""A clock that moves only when told to."""

from datetime import UTC, datetime, timedelta

_START = datetime(2026, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ManualClock:
    """Implements `shared.kernel.clock.Clock`; wall and monotonic time move together, or the wall alone by `step`."""

    def __init__(self, start: datetime = _START) -> None:
        self._wall_ns = (start - _EPOCH) // timedelta(microseconds=1) * 1000
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self._wall_ns // 1000)

    def time_ns(self) -> int:
        return self._wall_ns

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self._wall_ns += round(seconds * 1e9)
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._wall_ns += round(seconds * 1e9)
