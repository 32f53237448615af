"""An outcome is unknown, and the first look for its effect is awaited: nobody is told that a person has to move."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.application.watch import Ended, Until
from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.proposal import Finding
from orchestrator_svc.domain.tool import Effect, RetryPolicy, Tier
from tests.support.engine_world import events, keys, later, ok, possible, spec, started
from tests.support.world import CALLER, SECOND, World, running, tool

TOOLS = (replace(tool("send", Effect.NON_IDEMPOTENT, Tier.AUTO), probes=True), tool("read"))
FOUND = Look(Finding.FOUND, '"mail-7"')
NOT_FOUND = Look(Finding.NOT_FOUND)
BUSY = Look(Finding.FAILED, message="busy")


async def _unknown(world: World, replica: Replica, **options: object) -> str:
    """A batch whose one call may have had its effect; it is being looked for."""
    batch_id = await world.run(spec("send", "a", retry=RetryPolicy(2, SECOND, SECOND)), **options)
    replica.end(replica.held[0], possible())
    await world.settle()
    assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
    return batch_id


async def _state(world: World, batch_id: str) -> str:
    return (await world.batch(batch_id)).state.name


async def _ever_blocked(world: World, batch_id: str) -> bool:
    changed = [event.batch_state_changed for event in await events(world, batch_id) if not event.key]
    return any(detail.HasField("blocked_on") for detail in changed)


async def test_found_it_never_blocked_its_batch() -> None:
    world = World()
    async with started(world, TOOLS) as replica, asyncio.TaskGroup() as tasks:
        batch_id = await _unknown(world, replica)
        waiting = tasks.create_task(world.watch.wait("default", batch_id, Until.BLOCKED, 60, _itself))
        await world.settle()
        assert (await _state(world, batch_id), waiting.done()) == ("RUNNING", False)
        replica.answer_look(replica.probed[0], FOUND)
        await waiting
        assert await _state(world, batch_id) == "SUCCEEDED"
        assert not await _ever_blocked(world, batch_id)


async def _itself(ended: Ended) -> Ended:
    return ended


async def test_nor_does_it_where_it_is_not_there_and_is_tried_again() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        batch_id = await _unknown(world, replica)
        replica.answer_look(replica.probed[0], NOT_FOUND)
        await later(world, 1)
        assert keys(replica.held) == ["a/2"]
        replica.end(replica.held[0], possible())
        await world.settle()
        assert await _state(world, batch_id) == "RUNNING"
        replica.answer_look(replica.probed[1], FOUND)
        await world.settle()
        assert await _state(world, batch_id) == "SUCCEEDED"
        assert not await _ever_blocked(world, batch_id)


async def test_a_first_look_that_settles_nothing_leaves_it_to_a_person() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        batch_id = await _unknown(world, replica)
        replica.answer_look(replica.probed[0], BUSY)
        await world.settle()
        assert await _state(world, batch_id) == "BLOCKED"
        await later(world, 2)
        assert (len(replica.probed), await _state(world, batch_id)) == (2, "BLOCKED")


async def test_one_that_takes_long_is_not_waited_for() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        batch_id = await _unknown(world, replica)
        await later(world, 4)
        assert await _state(world, batch_id) == "RUNNING"
        await later(world, 1)
        assert await _state(world, batch_id) == "BLOCKED"
        replica.answer_look(replica.probed[0], FOUND)
        await world.settle()
        assert await _state(world, batch_id) == "SUCCEEDED"


@pytest.mark.parametrize("probes", [True, False])
async def test_where_nobody_can_look_a_person_is_waited_for_at_once(probes: bool) -> None:
    """The one that had the call is lost, and its tool could look; or it is there, and its tool cannot."""
    world = World()
    async with started(world, (replace(TOOLS[0], probes=probes),)) as replica:
        batch_id = await world.run(spec("send", "a"))
        if probes:
            replica.cut()
            await later(world, 60)
        else:
            replica.end(replica.held[0], possible())
            await world.settle()
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
        assert await _state(world, batch_id) == "BLOCKED"


async def test_the_next_start_waits_for_it_no_longer() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        batch_id = await _unknown(world, replica)
        await later(world, 3)
    again = World(world.store, world.clock, world.executors)
    async with running(again, ()):
        assert await _state(again, batch_id) == "RUNNING"
        await later(again, 2)
        assert await _state(again, batch_id) == "BLOCKED"


async def test_nor_does_one_that_comes_when_its_time_is_over() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        batch_id = await _unknown(world, replica)
    world.clock.advance(3600)
    again = World(world.store, world.clock, world.executors)
    async with running(again, ()):
        await later(again, 0)
        assert await _state(again, batch_id) == "BLOCKED"


async def test_a_late_outcome_ends_it() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        world.executors.add(TOOLS, executor_id="executor-2")
        batch_id = await world.run(spec("send", "a"))
        (call_id,) = replica.held
        replica.cut()
        await later(world, 60)
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
        assert await _state(world, batch_id) == "RUNNING"
        replica.end(call_id, ok())
        replica.connect()
        await world.settle()
        assert await _state(world, batch_id) == "SUCCEEDED"


async def test_a_person_need_not_wait_for_it() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        batch_id = await _unknown(world, replica)
        await world.cancel.batch(CALLER, batch_id, "", None)
        await world.settle()
        assert await _state(world, batch_id) == "PARTIAL"


async def test_given_up_it_is_waited_for_no_more() -> None:
    world = World(resolution_deadline=SECOND)
    async with started(world, TOOLS) as replica:
        batch_id = await _unknown(world, replica)
        await later(world, 1)
        assert await _state(world, batch_id) == "PARTIAL"
