"""What goes wrong, when, and with whom: drawn from the seed, every kind with everyone before any comes again."""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.chaos.fleet import EXECUTORS, LEASE, WINDOW, Fleet
from tests.chaos.journals import is_at_work

KINDS = ("kill", "stop", "cut")
LONG_STOP = "long stop"
"""One that outlasts a lease."""
ABSENCE = "absence"
"""An executor is killed or cut off, while it is at work, for longer than it has to come back."""
PAUSES = {
    "kill": (0.0, 0.7),
    "stop": (0.0, 1.25 * LEASE),
    "cut": (0.0, 1.5),
    LONG_STOP: (LEASE + 0.5, 2 * LEASE),
    ABSENCE: (WINDOW + 1.0, WINDOW + 2.0),
}
"""Seconds. Those of a killed one come before its start."""
MARGIN = 0.2
"""Seconds that a fault lasts beyond what it is to outlast."""
LESS = ("standby", "postgresql")
"""The others are killed once more in each round."""
AT_ONCE = 0.2
"""How many of the faults come together with the next one."""
_SECOND = 1_000_000_000


class Hit(NamedTuple):
    """`kind`: of `KINDS`. `who`: as drawn; `name`: the service. Times in ns since 1970: from the fault until it is
    mended."""

    kind: str
    who: str
    name: str
    start: int
    end: int

    @property
    def tried(self) -> Iterator[tuple[str, str]]:
        """What it was, by how long it lasted."""
        yield self.kind, self.who
        seconds = (self.end - self.start) / _SECOND
        if self.kind == "stop" and seconds > LEASE + MARGIN:
            yield LONG_STOP, self.who
        if self.kind != "stop" and self.who in EXECUTORS and seconds > WINDOW + MARGIN:
            yield ABSENCE, self.who


class Faults:
    """Until `enough`, and at least once each. Preferably while `busy`."""

    def __init__(self, fleet: Fleet, draw: random.Random) -> None:
        self._fleet, self._draw = fleet, draw
        self._short = {(kind, who) for kind in KINDS for who in fleet.who}
        self._long = {(LONG_STOP, who) for who in fleet.who} | {(ABSENCE, who) for who in EXECUTORS}
        self._absences = itertools.cycle(draw.sample(("kill", "cut"), 2))
        self.every = self._short | self._long
        self.busy: Callable[[], bool] = lambda: True
        self.hits: list[Hit] = []
        self.enough = False
        self.moved = asyncio.Event()
        """Set at each hit."""

    @property
    def kills(self) -> int:
        return sum(hit.kind == "kill" for hit in self.hits)

    @property
    def missing(self) -> set[tuple[str, str]]:
        """What was never tried."""
        return self.every - {tried for hit in self.hits for tried in hit.tried}

    async def run(self) -> None:
        while not self.enough or self.missing:
            cycle = self.round()
            while cycle:
                count = 2 if self._draw.random() < AT_ONCE else 1
                faults, cycle = cycle[:count], cycle[count:]
                await self._until_busy()
                await asyncio.sleep(self._draw.uniform(0.0, 0.4))
                await self._until_at_work([self._fleet.journal(who) for kind, who in faults if kind == ABSENCE])
                await self._together(faults)
                if self.enough:
                    cycle = [fault for fault in cycle if fault in self.missing]

    def round(self) -> list[tuple[str, str]]:
        """Those that last long are all in it until each has been had, then one of them. Executors go for long in its
        first half, while there is work in a short run."""
        again = [("kill", who) for who in self._fleet.who if who not in LESS]
        long = sorted(self._long & self.missing) or [self._draw.choice(sorted(self._long))]
        faults = [*sorted(self._short), *again, *(each for each in long if each[0] != ABSENCE)]
        self._draw.shuffle(faults)
        for absence in (each for each in long if each[0] == ABSENCE):
            faults.insert(self._draw.randrange(len(faults) // 2), absence)
        return [fault for fault in faults if not self.enough or fault in self.missing]

    async def _together(self, faults: list[tuple[str, str]]) -> None:
        """Each on a service of its own."""
        named = {self._fleet.named(who): (kind, who) for kind, who in faults}
        pauses = [self._draw.uniform(*PAUSES[kind]) for kind, _ in named.values()]
        hits = zip(named.items(), pauses, strict=True)
        await asyncio.gather(*(self._hit(kind, who, name, pause) for (name, (kind, who)), pause in hits))

    async def _until_busy(self) -> None:
        for _ in range(50):
            if self.busy():
                return
            await asyncio.sleep(0.02)

    async def _until_at_work(self, journals: Sequence[Path]) -> None:
        """Until one of these executors has a call whose outcome nobody would know."""
        for _ in range(200):
            if not journals or any(is_at_work(path) for path in journals):
                return
            await asyncio.sleep(0.01)

    async def _hit(self, kind: str, who: str, name: str, pause: float) -> None:
        start = time.time_ns()
        service = self._fleet.services[name]
        what = next(self._absences) if kind == ABSENCE else kind
        if what == "kill":
            await service.kill()
            await asyncio.sleep(pause)
            await service.start()
        elif what == "cut":
            await self._fleet.cut(name)
            await asyncio.sleep(pause)
            self._fleet.mend(name)
        else:
            what = "stop"
            service.stop()
            await asyncio.sleep(pause)
            service.go_on()
        self.hits.append(Hit(what, who, name, start, time.time_ns()))
        self.moved.set()
