"""When a lease is over: one's own, to stop in time, and those of others, to take over what was theirs.

No clock is compared with another one: each counts by its own monotonic clock, and what it did not see does not count.
"""

import asyncio
from collections.abc import Sequence

from orchestrator_svc.ports.ownership import Lease
from shared.kernel.clock import Clock

DISPATCHES_FOR = 0.75
LONGEST_GAP = 0.5
"""Of a period."""
STARTS_FOR = 4
"""Periods in which one that has not renewed yet may be starting: nothing is its own before."""


class LeaseWatch:
    """Times in s of one monotonic clock. A read shows the counters of others as they stood at some time during it."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._standing: dict[str, tuple[int, float]] = {}
        self._read: float | None = None

    def look(self, others: Sequence[Lease], begun: float, ended: float) -> list[Lease]:
        """Returns the leases that are over: their counters stood still for a period, in reads without a long gap.

        Who did not look for a while may have stood still itself, and begins anew.
        """
        if self._read is None or ended - self._read > LONGEST_GAP * self._period:
            self._standing.clear()
        self._read = begun
        standing: dict[str, tuple[int, float]] = {}
        for lease in others:
            counter, since = self._standing.get(lease.incarnation, (lease.counter, ended))
            standing[lease.incarnation] = (lease.counter, since if counter == lease.counter else ended)
        self._standing = standing
        return [lease for lease in others if self._end(*standing[lease.incarnation]) <= begun]

    def due(self) -> float | None:
        """When the next lease may be over, unless its counter moves; None: there are no others that are not over."""
        ends = [self._end(*standing) for standing in self._standing.values()]
        return min((end for end in ends if self._read is None or end > self._read), default=None)

    def _end(self, counter: int, since: float) -> float:
        return since + self._period * (1 if counter else STARTS_FOR)


class Tenure:
    """Whether this start may dispatch: others cannot have counted its lease as expired yet.

    `period`: in s; None: nobody else works on the store.
    """

    def __init__(self, clock: Clock, period: float | None) -> None:
        self._clock = clock
        self._span = None if period is None else DISPATCHES_FOR * period
        self._since = clock.monotonic()
        self._renewed = asyncio.Event()

    @property
    def holds(self) -> bool:
        return self._span is None or self._clock.monotonic() < self._since + self._span

    def renewed(self, begun: float) -> None:
        """A renewal that began then has succeeded."""
        self._since = begun
        self._renewed.set()

    async def until(self, *, lapsed: bool) -> None:
        """Until that is so."""
        while self.holds is lapsed:
            self._renewed.clear()
            try:
                async with asyncio.timeout(self._left() if lapsed else None):
                    await self._renewed.wait()
            except TimeoutError:
                pass

    def _left(self) -> float | None:
        return None if self._span is None else max(0.0, self._since + self._span - self._clock.monotonic())
