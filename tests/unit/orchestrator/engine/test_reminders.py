"""An executor says again how a call ended: who sent it was gone before it could acknowledge that."""

import logging
from unittest.mock import AsyncMock

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.ports.executor import Ask
from tests.support.engine_world import events, failed, keys, later, ok, spec, started
from tests.support.held_store import HeldStore
from tests.support.world import CALLER, World


async def until_acknowledged(world: World, replica: Replica) -> list[str]:
    while not replica.acknowledged:
        await world.settle()
    return keys(replica.acknowledged)


async def ended(world: World, replica: Replica, tool: str = "read") -> str:
    """A batch of one call, on record; its acknowledgement is forgotten, as by one who was killed."""
    batch_id = await world.run(spec(tool, "a"))
    replica.end(replica.held[0], ok())
    await until_acknowledged(world, replica)
    await later(world, 60)
    replica.acknowledged.clear()
    return batch_id


async def unknown(world: World, replica: Replica) -> str:
    """A batch of one call that may have had its effect."""
    batch_id = await world.run(spec("send", "a"))
    replica.stubborn = True
    replica.cut()
    await later(world, 60)
    assert await world.states(batch_id) == {"a": "OUTCOME_UNKNOWN"}
    return batch_id


def ends_unheard(world: World, replica: Replica, batch_id: str) -> None:
    """It is as if another orchestrator had sent the call."""
    replica.end(f"{batch_id}/a/1", ok())
    world.engine.flights.pop(f"{batch_id}/a/1")


@pytest.mark.parametrize("tool", ["read", "write", "send"])
async def test_what_is_on_record_is_acknowledged_and_changes_nothing(tool: str) -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await ended(world, replica, tool)
        before = await events(world, batch_id)
        replica.remind(f"{batch_id}/a/1")
        assert await until_acknowledged(world, replica) == ["a/1"]
        assert await events(world, batch_id) == before


async def test_an_unknown_outcome_is_settled_by_it() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await unknown(world, replica)
        ends_unheard(world, replica, batch_id)
        replica.remind(f"{batch_id}/a/1")
        assert await until_acknowledged(world, replica) == ["a/1"]
        assert await world.states(batch_id) == {"a": "SUCCEEDED"}


async def test_heard_twice_it_is_acknowledged_once_it_is_on_record() -> None:
    """Who takes up a batch to record what it was reminded of asks the call's executor too."""
    store = HeldStore(MemoryStore(ProtobufEventCodec()))
    world = World(store.port)
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        flight = world.engine.flights.pop(f"{batch_id}/a/1")
        assert flight is not None
        replica.end(flight.call_id, ok())
        store.hold()
        replica.remind(flight.call_id)
        await world.settle()
        world.engine.flights.add(flight)
        replica.attach([Ask(flight.call_id, flight.recorded_boot, flight.proposal.effect, 0, flight.token)])
        await world.settle()
        assert not flight.current
        assert replica.acknowledged == []
        store.release()
        assert {*await until_acknowledged(world, replica)} == {"a/1"}
        assert await world.states(batch_id) == {"a": "SUCCEEDED"}


async def test_what_a_person_resolved_stays_and_is_told() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await unknown(world, replica)
        await world.resolve.resolve(CALLER, f"{batch_id}/a", Resolution.FAILED, "", "looked", None, None)
        await world.settle()
        ends_unheard(world, replica, batch_id)
        for _ in range(2):
            replica.remind(f"{batch_id}/a/1")
            assert await until_acknowledged(world, replica) == ["a/1"]
            replica.acknowledged.clear()
        assert await world.states(batch_id) == {"a": "FAILED"}
        late = [event for event in await events(world, batch_id) if event.HasField("outcome_arrived_late")]
        assert len(late) == 1


async def test_of_a_call_under_way_here_it_is_heard_as_ever() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        replica.connected = False
        replica.end(replica.held[0], ok())
        replica.remind(f"{batch_id}/a/1")
        await world.settle()
        assert replica.acknowledged == []
        assert await world.states(batch_id) == {"a": "RUNNING"}


async def without(what: str, world: World, batch_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on that is not on record."""
    view = await world.store.get_proposal("default", batch_id, "a")
    assert view is not None
    (attempt,) = view.proposal.attempts
    view.proposal.attempts = (attempt._replace(executor_id="another"),) if what == "executor" else ()
    found = None if what == "batch" else view
    monkeypatch.setattr(world.store, "get_proposal", AsyncMock(return_value=found))


@pytest.mark.parametrize("what", ["batch", "attempt", "executor"])
async def test_what_is_not_on_record_is_left_to_others(
    what: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another installation may have the same executor; or a backup was put back."""
    world = World()
    async with started(world) as replica:
        batch_id = await ended(world, replica, "write")
        await without(what, world, batch_id, monkeypatch)
        replica.remind(f"{batch_id}/a/1")
        await world.settle()
        assert replica.acknowledged == []
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("what", ["attempt", "executor"])
async def test_a_read_whose_record_a_stop_forgot_is_acknowledged(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes out before its record. Whoever goes on may have sent it elsewhere, or not yet."""
    world = World()
    async with started(world) as replica:
        batch_id = await ended(world, replica)
        before = await events(world, batch_id)
        await without(what, world, batch_id, monkeypatch)
        replica.remind(f"{batch_id}/a/1")
        assert await until_acknowledged(world, replica) == ["a/1"]
        assert await events(world, batch_id) == before


async def test_one_that_failed_and_was_sent_again_is_acknowledged() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"))
        replica.end(replica.held[0], failed())
        await later(world, 60)
        assert keys(replica.held) == ["a/2"]
        await until_acknowledged(world, replica)
        replica.acknowledged.clear()
        replica.remind(f"{batch_id}/a/1")
        assert await until_acknowledged(world, replica) == ["a/1"]
        assert await world.states(batch_id) == {"a": "RUNNING"}
