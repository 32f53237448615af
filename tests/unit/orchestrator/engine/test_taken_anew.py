"""A batch of which something else is on record than its orchestrator believes goes on from there by itself."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes, CommandRecord
from orchestrator_svc.ports.executor import Ask, Target
from shared.kernel.errors import UnavailableError
from shared.kernel.tasks import Supervisor
from tests.support.clock import ManualClock
from tests.support.companions import Company, lapsed
from tests.support.engine_world import keys, later, ok, spec, started, story
from tests.support.held_store import HeldStore
from tests.support.world import World


@asynccontextmanager
async def losing(shared: bool) -> AsyncGenerator[tuple[World, Replica, HeldStore]]:
    """A world whose store finds that somebody else was first with each request."""
    clock = ManualClock()
    store = HeldStore(MemoryStore(ProtobufEventCodec(), shared=shared, clock=clock))
    store.lose = lambda write: bool(write.commands)
    world = World(store.port, clock)
    async with started(world) as replica:
        yield world, replica, store


def request(batch: Batch, changes: Changes) -> None:
    changes.command = CommandRecord("r1", "CloseBatch", b"", b"{}")


async def lose(world: World, batch_id: str) -> None:
    """Whoever asked does not ask again."""
    async with world.live.pin("default", batch_id) as batch:
        with pytest.raises(UnavailableError, match="BATCH_LOST"):
            await world.engine.execute(batch, request)


async def until(world: World, batch_id: str, state: str) -> None:
    while (await world.batch(batch_id)).state.name != state:
        await world.settle()


@pytest.mark.parametrize("shared", [False, True])
async def test_what_runs_runs_on(shared: bool) -> None:
    async with losing(shared) as (world, replica, _):
        batch_id = await world.run(spec("send", "a"), spec("send", "b", "a"))
        await lose(world, batch_id)
        replica.end(replica.held[0], ok())
        while "b/1" not in keys(replica.held):
            await world.settle()
        replica.release()
        await until(world, batch_id, "SUCCEEDED")
        assert keys([call.id for call in replica.received]) == ["a/1", "b/1"]


@pytest.mark.parametrize("shared", [False, True])
async def test_an_outcome_that_was_to_be_recorded_with_it_is_heard_again(shared: bool) -> None:
    async with losing(shared) as (world, replica, store), Supervisor() as tasks:
        batch_id = await world.run(spec("send", "a"))
        store.hold()
        asked = tasks.start(lose(world, batch_id), "asks")
        await world.settle()
        replica.release()
        await world.settle()
        store.release()
        await asked
        await until(world, batch_id, "SUCCEEDED")
        assert (await story(world, batch_id, "a")).count("attempt_dispatched") == 1
        assert replica.unheard == []


async def test_what_waits_for_a_time_has_it() -> None:
    async with losing(shared=False) as (world, _, _):
        batch_id = await world.run(spec("note", "a"), spec("send", "b"))
        await lose(world, batch_id)
        while batch_id not in world.live:
            await world.settle()
        await world.advance(1800)
        assert (await world.states(batch_id))["a"] == "EXPIRED"


async def test_what_was_to_be_sent_before_is_not_sent_behind_the_question_about_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    company = Company()
    one = company.world()
    async with lapsed(one, company) as (replica, batch_id):
        asked: list[Ask] = []

        def unanswered(target: Target, asks: Sequence[Ask]) -> bool:
            asked.extend(asks)
            return True

        monkeypatch.setattr(one.executors, "attach", unanswered)
        batch = one.live.get(batch_id)
        assert batch is not None
        one.live.forget(batch)
        async with one.live.pin("default", batch_id):
            pass
        await one.owner.renew()
        await one.settle()
        assert keys([ask.call_id for ask in asked]) == ["s/1"]
        assert replica.received == []
        replica.attach(asked)
        await later(one, 1)
        assert keys([call.id for call in replica.received]) == ["s/2"]
