"""Two orchestrators on one store in memory, with a clock and a bus of wake-ups between them."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.adapters.store.memory_commits import Holdings
from orchestrator_svc.adapters.wakeups.memory import WakeupBus
from tests.support.clock import ManualClock
from tests.support.jittery_store import JitteryStore
from tests.support.world import TOOLS, World, running


class Neighbourhood:
    """`seed`: of how the statements of its orchestrators meet."""

    def __init__(self, seed: int = 0) -> None:
        self._seeds = itertools.count(seed * 1000)
        self.clock, self.bus, self.held = ManualClock(), WakeupBus(), Holdings()
        self._replicas: dict[World, Replica] = {}

    def world(self) -> World:
        store = MemoryStore(ProtobufEventCodec(), self.held, shared=True, clock=self.clock)
        return World(JitteryStore(store, next(self._seeds)).port, self.clock, bus=self.bus)

    @asynccontextmanager
    async def running(self, world: World) -> AsyncGenerator[World]:
        async with running(world, ()):
            self._replicas[world] = world.executors.add(TOOLS, slots=100)
            await world.settle()
            yield world

    def replica(self, world: World) -> Replica:
        """Its one executor, whose calls are held."""
        return self._replicas[world]


@asynccontextmanager
async def two_orchestrators(seed: int = 0) -> AsyncGenerator[tuple[World, World, Neighbourhood]]:
    place = Neighbourhood(seed)
    async with place.running(place.world()) as first, place.running(place.world()) as second:
        yield first, second, place
