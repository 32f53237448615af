"""A commit that raises what nobody foresaw: the batch that it is about is put out, every other one goes on."""

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from shared.kernel.errors import UnavailableError
from shared.kernel.tasks import Supervisor
from tests.support.engine_world import events, ok, spec, started
from tests.support.held_store import HeldStore
from tests.support.world import CALLER, World


@pytest.fixture
def store() -> HeldStore:
    return HeldStore(MemoryStore(ProtobufEventCodec()))


@pytest.fixture
def world(store: HeldStore) -> World:
    return World(store.port)


async def three(world: World) -> list[str]:
    return [await world.run(spec("read", "a"), spec("write", "b", "a")) for _ in range(3)]


async def test_the_others_of_its_group_are_written_and_it_is_ended(world: World, store: HeldStore) -> None:
    async with started(world) as replica:
        first, poisoned, last = await three(world)
        store.poison = lambda write: write.batch.id == poisoned and any(r.result for r in write.records.values())
        store.hold()
        for call_id in replica.held:
            replica.end(call_id, ok())
        await world.settle()
        store.release()
        await world.settle()
        assert [first, poisoned, last] in store.groups, "they were one group"
        replica.release()
        await world.settle()
        for batch_id in (first, last):
            assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
        assert (await world.states(poisoned)) == {"a": "FAILED", "b": "FAILED"}
        assert (await events(world, poisoned))[-1].WhichOneof("detail") == "batch_finished"
        assert world.engine.problems() == []


async def test_its_command_is_answered_with_a_reason(world: World, store: HeldStore) -> None:
    async with started(world), Supervisor() as tasks:
        first, poisoned, _ = await three(world)
        store.hold()
        commands = [
            tasks.start(world.cancel.batch(CALLER, batch_id, "", None), batch_id) for batch_id in (poisoned, first)
        ]
        await world.settle()
        store.poison = lambda write: write.batch.id == poisoned
        store.release()
        await world.settle()
        error = commands[0].exception()
        assert isinstance(error, UnavailableError)
        assert error.reason == "BATCH_LOST"
        assert commands[1].result() is None
        store.poison = lambda write: False


async def test_a_new_one_is_refused_and_the_service_lives(world: World, store: HeldStore) -> None:
    async with started(world, slots=1) as replica:
        store.poison = lambda write: write.created
        with pytest.raises(UnavailableError, match="BATCH_LOST"):
            await world.run(spec("read", "a"))
        store.poison = lambda write: False
        batch_id = await world.run(spec("read", "a"))
        replica.release()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}


async def test_one_that_the_store_cannot_write_when_it_is_back_leaves_it_open_to_the_others(
    world: World, store: HeldStore
) -> None:
    async with started(world) as replica, Supervisor() as tasks:
        store.away = True
        refused = tasks.start(world.run(spec("read", "a")), "a new one")
        await world.settle()
        assert world.engine.recorder.failing is not None
        store.poison = lambda write: write.created
        store.away = False
        with pytest.raises(UnavailableError):
            await refused
        store.poison = lambda write: False
        batch_id = await world.run(spec("read", "a"))
        replica.release()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}
        assert world.engine.problems() == []


async def test_one_that_cannot_even_be_ended_is_stuck_until_it_can_be_written(
    world: World, store: HeldStore, caplog: pytest.LogCaptureFixture
) -> None:
    async with started(world) as replica:
        first, poisoned, _ = await three(world)
        store.poison = lambda write: write.batch.id == poisoned
        replica.end(next(call for call in replica.held if call.startswith(poisoned)), ok())
        for _ in range(5):
            await world.settle()
        (problem,) = world.engine.problems()
        assert problem.startswith(f"batch {poisoned} is stuck: ")
        assert f"batch {poisoned} is stuck" in caplog.text
        assert (await world.states(poisoned)) == {"a": "RUNNING", "b": "APPROVED"}, "what is on record stands"
        replica.end(next(call for call in replica.held if call.startswith(first)), ok())
        await world.settle()
        assert (await world.states(first))["a"] == "SUCCEEDED"
        store.poison = lambda write: False
        await world.cancel.batch(CALLER, poisoned, "", None)
        assert world.engine.problems() == []
