"""Several orchestrators on one store, each a world of its own, in one process and on one clock."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.memory import MemoryExecutors
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.adapters.store.memory_commits import Holdings
from orchestrator_svc.adapters.wakeups.memory import WakeupBus
from tests.support.clock import ManualClock
from tests.support.engine_world import spec
from tests.support.world import SETTINGS, TOOLS, World, running

PERIOD = SETTINGS.lease_period


class Company:
    """What they share. `whose`: on record of a batch; '': nobody's."""

    def __init__(self) -> None:
        self.clock, self.held, self.bus = ManualClock(), Holdings(), WakeupBus()

    def world(self, executors: MemoryExecutors | None = None) -> World:
        store = MemoryStore(ProtobufEventCodec(), self.held, shared=True, clock=self.clock)
        return World(store, self.clock, executors, bus=self.bus)

    def whose(self, batch_id: str) -> str:
        kept = self.held.find("default", batch_id)
        assert kept is not None
        return kept.incarnation

    async def watch_leases(self, *worlds: World, periods: float = 1.5) -> None:
        """Time passes while those renew their leases as often as they have to."""
        for _ in range(round(3 * periods)):
            await worlds[0].advance(PERIOD / 3)
            for world in worlds:
                await world.owner.renew()
            await worlds[0].settle()


@asynccontextmanager
async def joined(
    world: World, *, slots: int = 100, executor_id: str = "executor-1", known: Replica | None = None
) -> AsyncGenerator[Replica]:
    """A running one that hears the others, and its one executor: a new one, or `known` from an earlier world.

    Leaving it is a kill: nothing is ended or let go of, and the stream to the executor breaks.
    """
    async with running(world, ()):
        await world.owner.renew()
        replica = known or world.executors.prepare(TOOLS, slots=slots, executor_id=executor_id)
        replica.connect()
        await world.settle()
        yield replica
    replica.cut()
    await world.wakeups.close()


@asynccontextmanager
async def lapsed(one: World, company: Company) -> AsyncGenerator[tuple[Replica, str]]:
    """What it has submitted was recorded when its lease had lapsed: nothing is sent."""
    async with joined(one) as replica:
        commit = one.store.commit

        async def slow(writes: object) -> object:
            company.clock.advance(0.8 * PERIOD)
            return await commit(writes)  # type: ignore[arg-type]

        one.store.commit = slow  # type: ignore[method-assign, assignment]
        batch_id = await one.run(spec("send", "s"))
        assert (await one.states(batch_id)) == {"s": "RUNNING"}
        assert replica.received == []
        one.store.commit = commit  # type: ignore[method-assign]
        yield replica, batch_id


async def settled(*worlds: World) -> None:
    """Until nothing moves by itself, whoever moves whom; what is due by a real clock, too."""
    for world in [*worlds] * 3:
        await world.settle()
        await asyncio.sleep(0.03)
