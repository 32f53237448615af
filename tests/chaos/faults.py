"""What goes wrong, when, and with whom: drawn from the seed, every kind with everyone before any comes again."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import NamedTuple

from tests.chaos.fleet import LEASE, ORCHESTRATORS, Fleet

KINDS = ("kill", "stop", "cut")
LESS = ("standby", "postgresql")
"""The others are killed once more in each round."""
AT_ONCE = 0.2
"""How many of the faults come together with the next one."""


class Hit(NamedTuple):
    """`who`: as drawn; `name`: the service. Times in ns since 1970: from the fault until it is mended."""

    kind: str
    who: str
    name: str
    start: int
    end: int


class Faults:
    """Until `enough`, and at least once each. Preferably while `busy`."""

    def __init__(self, fleet: Fleet, draw: random.Random) -> None:
        self._fleet, self._draw = fleet, draw
        self.every = {(kind, who) for kind in KINDS for who in fleet.who}
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
        return self.every - {(hit.kind, hit.who) for hit in self.hits}

    async def run(self) -> None:
        while True:
            cycle = [*sorted(self.every), *(("kill", who) for who in self._fleet.who if who not in LESS)]
            self._draw.shuffle(cycle)
            while cycle:
                if self.enough and not self.missing:
                    return
                await self._until_busy()
                await asyncio.sleep(self._draw.uniform(0.0, 0.4))
                count = 2 if self._draw.random() < AT_ONCE else 1
                faults, cycle = cycle[:count], cycle[count:]
                await self._together(faults)

    async def _together(self, faults: list[tuple[str, str]]) -> None:
        """Each on a service of its own."""
        named = {self._fleet.named(who): (kind, who) for kind, who in faults}
        pauses = [self._draw.uniform(0.0, 2 * LEASE if name in ORCHESTRATORS else 1.5) for name in named]
        hits = zip(named.items(), pauses, strict=True)
        await asyncio.gather(*(self._hit(kind, who, name, pause) for (name, (kind, who)), pause in hits))

    async def _until_busy(self) -> None:
        for _ in range(50):
            if self.busy():
                return
            await asyncio.sleep(0.02)

    async def _hit(self, kind: str, who: str, name: str, pause: float) -> None:
        start = time.time_ns()
        service = self._fleet.services[name]
        if kind == "kill":
            await service.kill()
            await asyncio.sleep(pause / 3)
            await service.start()
        elif kind == "stop":
            service.stop()
            await asyncio.sleep(pause)
            service.go_on()
        else:
            await self._fleet.cut(name)
            await asyncio.sleep(pause / 2)
            self._fleet.mend(name)
        self.hits.append(Hit(kind, who, name, start, time.time_ns()))
        self.moved.set()
