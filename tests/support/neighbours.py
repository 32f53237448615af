"""Two orchestrators on one store in memory, with a clock and a bus of wake-ups between them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.adapters.store.memory_commits import Holdings
from orchestrator_svc.adapters.wakeups.memory import WakeupBus
from tests.support.clock import ManualClock
from tests.support.world import TOOLS, World, running


class Neighbourhood:
    """`worlds` of one store; `replica(world)`: its one executor, whose calls are held."""

    def __init__(self) -> None:
        self.clock, self.bus, self.held = ManualClock(), WakeupBus(), Holdings()
        self._replicas: dict[World, Replica] = {}

    def world(self) -> World:
        store = MemoryStore(ProtobufEventCodec(), self.held, shared=True, clock=self.clock)
        return World(store, self.clock, bus=self.bus)

    @asynccontextmanager
    async def running(self, world: World) -> AsyncGenerator[World]:
        async with running(world, ()):
            self._replicas[world] = world.executors.add(TOOLS, slots=100)
            await world.settle()
            yield world

    def replica(self, world: World) -> Replica:
        return self._replicas[world]


@asynccontextmanager
async def two_orchestrators() -> AsyncGenerator[tuple[World, World, Neighbourhood]]:
    place = Neighbourhood()
    async with place.running(place.world()) as first, place.running(place.world()) as second:
        yield first, second, place
