"""What goes wrong, when, and with whom: drawn from the seed, every kind with everyone before any comes again."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import NamedTuple

from tests.chaos.fleet import Fleet

KINDS = [(kind, who) for kind in ("kill", "stop", "cut") for who in ("orchestrator", "executor")]
MORE = [("kill", "orchestrator"), ("kill", "executor")]


class Hit(NamedTuple):
    """Times in ns since 1970: from the fault until it is mended."""

    kind: str
    who: str
    start: int
    end: int


class Faults:
    """Until `enough`, and at least once each. Preferably while `busy`."""

    def __init__(self, fleet: Fleet, draw: random.Random) -> None:
        self._fleet, self._draw = fleet, draw
        self.busy: Callable[[], bool] = lambda: True
        self.hits: list[Hit] = []
        self.enough = False
        self.moved = asyncio.Event()
        """Set at each hit."""

    @property
    def kills(self) -> int:
        return sum(hit.kind == "kill" for hit in self.hits)

    async def run(self) -> None:
        while True:
            cycle = [*KINDS, *MORE]
            self._draw.shuffle(cycle)
            for kind, who in cycle:
                if self.enough and {(hit.kind, hit.who) for hit in self.hits} >= {*KINDS}:
                    return
                await self._until_busy()
                await asyncio.sleep(self._draw.uniform(0.0, 0.6))
                await self._hit(kind, who)

    async def _until_busy(self) -> None:
        for _ in range(50):
            if self.busy():
                return
            await asyncio.sleep(0.02)

    async def _hit(self, kind: str, who: str) -> None:
        start = time.time_ns()
        service, link = self._fleet.services[who], self._fleet.links[who]
        pause = self._draw.uniform(0.0, 1.5)
        if kind == "kill":
            await service.kill()
            await asyncio.sleep(pause / 3)
            await service.start()
        elif kind == "stop":
            service.stop()
            await asyncio.sleep(pause)
            service.go_on()
        else:
            link.refusing = True
            await link.cut()
            await asyncio.sleep(pause / 2)
            link.refusing = False
        self.hits.append(Hit(kind, who, start, time.time_ns()))
        self.moved.set()
