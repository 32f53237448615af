"""This start as an owner of batches: renews its lease, ends starts whose leases are over, takes what is due, and lets
go of what it has no use for.

Everything here may be late, or be done twice: whose a batch is, the store says.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from orchestrator_svc.application.engine.leases import LeaseWatch
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.ports.ownership import Lease, Ownership
from orchestrator_svc.ports.wakeups import Wake, WakeKind, Wakeups
from shared.kernel.clock import Clock
from shared.kernel.errors import GreenlightError, PreconditionError, UnavailableError

SWEEP_EVERY, SWEEP_PAUSE = 1.0, 0.05
LET_GO_AFTER = 0.1
PAUSE = 0.25
TURN = 0.02
MARGIN = 250_000_000
"""ns that the timers of whoever had a batch last have before it is taken: it may have it in memory."""

_SECOND = 1_000_000_000

_log = logging.getLogger(__name__)


class Owner:
    """`on_clock` is told what the store's clock said, at most how long ago (s); `on_taken`, that this start is over."""

    def __init__(
        self,
        owners: Ownership,
        engine: Engine,
        wakeups: Wakeups,
        clock: Clock,
        period: float,
        on_clock: Callable[[int, float], None],
        on_taken: Callable[[], None],
    ) -> None:
        self._owners, self._engine, self._live = owners, engine, engine.live
        self._wakeups, self._clock, self._period = wakeups, clock, period
        self._on_clock, self._on_taken = on_clock, on_taken
        self._watch = LeaseWatch(period)
        self._ended: list[Lease] = []
        self._some_ended = asyncio.Event()
        self._look, self._rested = asyncio.Event(), asyncio.Event()
        self._live.on_rest = self._rested.set
        self._away = self._leaving = self._over = False
        self._others = True

    @property
    def has_company(self) -> bool:
        """Whether other orchestrators live, as far as is known."""
        return self._owners.shared and self._others

    def look(self) -> None:
        """Sweeps soon: others let go of batches, or may have."""
        self._look.set()

    # -- the lease

    async def keep_lease(self) -> None:
        """Renews it until this start is over. Where nobody else works on the store there is none."""
        while self._owners.shared and not self._over:
            begun = self._clock.monotonic()
            try:
                await self.renew()
            except UnavailableError as error:
                self._missing(error)
                await asyncio.sleep(PAUSE)
                continue
            due = min(begun + self._period / 3, self._watch.due() or begun + self._period)
            await asyncio.sleep(max(0.0, due - self._clock.monotonic()))

    async def renew(self) -> None:
        """Once; sees whose leases are over. Raises UnavailableError."""
        begun = self._clock.monotonic()
        try:
            beat = await self._owners.renew()
        except PreconditionError as error:
            return self._taken(error)
        ended = self._clock.monotonic()
        self._found()
        self._on_clock(beat.time, ended - begun)
        self._hold(begun)
        self._others = bool(beat.others)
        self._ended = self._watch.look(beat.others, begun, ended)
        if self._ended:
            self._some_ended.set()

    def _hold(self, begun: float) -> None:
        lapsed = not self._engine.tenure.holds
        self._engine.tenure.renewed(begun)
        if lapsed:
            self._engine.look()  # what waited for it goes on

    async def end_others_on(self) -> None:
        """Ends the starts whose leases are over. Beside the renewals: those wait for no transaction."""
        while not self._over:
            await self._some_ended.wait()
            self._some_ended.clear()
            try:
                for lease in self._ended:
                    await self._supersede(lease)
            except UnavailableError as error:
                self._missing(error)
                await asyncio.sleep(PAUSE)
                self._some_ended.set()

    async def _supersede(self, lease: Lease) -> None:
        if await self._owners.supersede(lease):
            _log.warning("orchestrator %s gave no sign for %g s: its batches go on here", *lease[:1], self._period)
            self._released()
            self.look()

    def _taken(self, error: GreenlightError) -> None:
        if not self._over:
            self._over = True
            _log.error("%s", error)
            self._on_taken()

    # -- what is due

    async def sweep_on(self) -> None:
        """Takes what is due, until this start leaves."""
        while not self._leaving:
            self._look.clear()
            try:
                await self.sweep()
                due = self._due_in()
            except UnavailableError as error:
                self._missing(error)
                due = PAUSE
            await _until(self._look, due)

    async def sweep(self) -> None:
        """All that is due and nobody's. Raises UnavailableError."""
        count = 0
        while not self._leaving:
            page = await self._owners.take_due(self._clock.time_ns() - MARGIN, self._live.judge)
            if not page:
                break
            count += len(page)
            await self._live.adopt(page)
        await self._live.clear_doubts()
        if count:
            _log.info("took up %d batches that were due", count)
        self._live.next_wake = None
        known = await self._owners.next_wake()
        self._live.expect_wake(known)
        self._found()

    def _due_in(self) -> float | None:
        """Seconds; None: nothing is known that will be due."""
        wake = self._live.next_wake
        due = None if wake is None else max(SWEEP_PAUSE, (wake + MARGIN - self._clock.time_ns()) / _SECOND)
        if not self._owners.shared:
            return due
        return SWEEP_EVERY if due is None else min(SWEEP_EVERY, due)

    # -- what is let go

    async def let_go_on(self) -> None:
        """Lets go of what was taken and needs nothing, many at a time."""
        while True:
            await self._rested.wait()
            self._rested.clear()
            await asyncio.sleep(LET_GO_AFTER)
            try:
                await self.let_go()
            except UnavailableError as error:
                self._missing(error)
                await asyncio.sleep(PAUSE)
                self._rested.set()
            self.look()  # there may be a time to wake at that is earlier than all others

    async def let_go(self) -> None:
        """Raises UnavailableError."""
        idle = self._live.take_idle()
        try:
            await self._give(idle)
        except UnavailableError:
            self._live.keep(idle)
            raise

    async def _give(self, batches: Sequence[Batch]) -> None:
        if batches:
            await self._owners.let_go(batches, self._clock.time_ns() - MARGIN)

    async def leave(self) -> None:
        """Takes nothing more, and hands over what is this start's as soon as nothing of it runs; until all is gone."""
        self._leaving = True
        self.look()
        while self._owners.shared and not self._over:
            leaving = self._live.leave(self._engine.flights.running())
            while leaving:
                try:
                    await self._give(leaving)
                except UnavailableError as error:
                    self._missing(error)
                    await asyncio.sleep(PAUSE)
                else:
                    self._released()
                    break
            if not self._live.has_own():
                return
            await asyncio.sleep(TURN)
        await self._engine.landed()

    async def end(self) -> None:
        """What is left is others' from now on; nothing may be recorded after."""
        if self._over or not self._owners.shared:
            return
        self._over = True
        try:
            await self._owners.end()
        except UnavailableError as error:
            _log.warning("others take over once the lease has run out: %s", error)
        else:
            self._released()

    def _released(self) -> None:
        self._wakeups.send([Wake(WakeKind.RELEASED)])

    # -- a store that is away

    def _missing(self, error: GreenlightError) -> None:
        if not self._away:
            self._away = True
            _log.warning("who owns what cannot be looked after, trying on: %s", error)

    def _found(self) -> None:
        self._away = False


async def _until(event: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
