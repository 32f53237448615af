"""An executor that stays connected and says nothing of a call: it is asked, then the call goes by its effect."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.engine.settings import EngineSettings
from orchestrator_svc.domain.tool import RetryPolicy
from tests.support.engine_world import failed, keys, later, ok, spec, started
from tests.support.held_store import HeldStore
from tests.support.world import CALLER, SECOND, World, running, tool

SETTINGS = EngineSettings(queue_timeout=30.0, reattach_window=60.0, answer_margin=10.0)
RUNNING, WAITING, GRACE = 40.0, 70.0, 5.0
"""A tool's time is 30 s, and the same once more until it is said to run."""


@pytest.fixture
def world() -> World:
    return World(settings=SETTINGS)


@asynccontextmanager
async def silent(world: World) -> AsyncGenerator[Replica]:
    async with started(world) as replica:
        replica.stubborn = True
        yield replica


async def test_it_is_asked_when_its_time_is_over_and_given_up_after_the_grace(world: World) -> None:
    async with silent(world) as replica:
        batch_id = await world.run(spec("read", "a", retry=RetryPolicy(2, SECOND, SECOND)))
        await later(world, WAITING - 1)
        assert replica.cancelled == []
        await later(world, 1)
        assert keys(replica.cancelled) == ["a/1"]
        await later(world, GRACE - 1)
        assert (await world.states(batch_id)) == {"a": "RUNNING"}
        await later(world, 1)
        failure = (await world.proposal(f"{batch_id}/a")).attempts[0].failure
        assert failure is not None
        assert failure.reason == "CALL_UNANSWERED"
        await later(world, 1)
        assert keys(replica.held) == ["a/1", "a/2"], "it runs again, and the first keeps its slot"
        await later(world, WAITING)
        await later(world, GRACE)
        assert (await world.states(batch_id)) == {"a": "FAILED"}, "by the retry policy"
        replica.end(replica.held[0], ok())
        await world.settle()
        assert keys(replica.acknowledged) == ["a/1"]


async def test_of_a_side_effect_nobody_knows_until_it_is_said_after_all(world: World) -> None:
    async with silent(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"))
        await later(world, WAITING)
        await later(world, GRACE)
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN", "b": "APPROVED"}
        replica.end(replica.held[0], ok())
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "RUNNING"}
        assert keys([call.id for call in replica.received]) == ["a/1", "b/1"]


async def test_its_time_begins_when_it_is_said_to_run(world: World) -> None:
    async with silent(world) as replica:
        await world.run(spec("read", "a"))
        await later(world, WAITING - 1)
        replica.start(replica.held[0])
        await later(world, RUNNING - 1)
        assert replica.cancelled == []
        await later(world, 1)
        assert keys(replica.cancelled) == ["a/1"]


@pytest.mark.parametrize("whose", ["tool", "proposal"])
async def test_its_time_is_the_proposals_or_the_tools(world: World, whose: str) -> None:
    slow = replace(tool("slow"), timeout=100 * SECOND)
    async with started(world, (slow,)) as replica:
        replica.stubborn = True
        await world.run(spec("slow", "a", timeout=50 * SECOND if whose == "proposal" else None))
        await world.settle()
        replica.start(replica.held[0])
        await later(world, (50 if whose == "proposal" else 100) + 9)
        assert replica.cancelled == []
        await later(world, 1)
        assert keys(replica.cancelled) == ["a/1"]


@pytest.mark.parametrize(
    ("name", "runs", "state"),
    [
        ("read", True, "RUNNING"),
        ("write", True, "RUNNING"),
        ("send", True, "OUTCOME_UNKNOWN"),
        ("send", False, "RUNNING"),
    ],
)
async def test_one_that_is_stopped_because_we_asked_is_not_cancelled(
    world: World, name: str, runs: bool, state: str
) -> None:
    async with started(world) as replica:
        batch_id = await world.run(spec(name, "a", retry=RetryPolicy(2, SECOND, SECOND)))
        if runs:
            replica.start(replica.held[0])
        await later(world, WAITING)
        await later(world, 1)
        assert (await world.states(batch_id)) == {"a": state}
        assert keys(replica.held) == (["a/2"] if state == "RUNNING" else [])


@pytest.mark.parametrize("failing", [False, True])
async def test_what_it_came_to_in_the_grace_counts(world: World, failing: bool) -> None:
    async with silent(world) as replica:
        batch_id = await world.run(spec("send", "a", retry=RetryPolicy(1)))
        await later(world, WAITING)
        replica.end(replica.held[0], failed() if failing else ok())
        await later(world, GRACE)
        assert (await world.states(batch_id)) == {"a": "FAILED" if failing else "SUCCEEDED"}


async def test_one_that_a_person_cancels_is_cancelled(world: World) -> None:
    async with silent(world) as replica:
        batch_id = await world.run(spec("read", "a"))
        await later(world, WAITING)
        replica.stubborn = False
        await world.cancel.batch(CALLER, batch_id, "", None)
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "CANCELLED"}


async def test_while_its_executor_is_away_its_time_stands_still(world: World) -> None:
    async with silent(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        await later(world, 50)
        replica.cut()
        await later(world, 50)
        replica.connect()
        await later(world, WAITING - 1)
        assert replica.cancelled == []
        assert (await world.states(batch_id)) == {"a": "RUNNING"}
        await later(world, 1)
        assert keys(replica.cancelled) == ["a/1"]


async def test_waiting_to_be_recorded_takes_none_of_its_time() -> None:
    store = HeldStore(MemoryStore(ProtobufEventCodec()))
    world = World(store.port, settings=SETTINGS)
    async with silent(world) as replica:
        await world.run(spec("read", "a"), spec("send", "b", "a"))
        store.hold()
        replica.end(replica.held[0], ok())
        await later(world, 1000)
        assert keys([call.id for call in replica.received]) == ["a/1"]
        store.release()
        await later(world, WAITING - 1)
        assert keys(replica.held) == ["b/1"]
        assert replica.cancelled == []
        await later(world, 1)
        assert keys(replica.cancelled) == ["b/1"]


async def test_a_start_later_it_is_still_asked_about() -> None:
    first = World(settings=SETTINGS)
    async with silent(first) as replica:
        batch_id = await first.run(spec("send", "a"))
    replica.cut()
    await first.executors.signals()
    second = World(first.store, first.clock, first.executors, SETTINGS)
    async with running(second, ()):
        replica.connect()
        await later(second, WAITING)
        assert keys(replica.cancelled) == ["a/1"]
        await later(second, GRACE)
        assert (await second.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
