"""A shutdown: what runs may end and is recorded, nothing more is sent; what is cut off goes by its effect."""

import pytest

from orchestrator_svc.application.engine.draining import NOTHING_RUNS, WHILE_CALLS_RUN
from orchestrator_svc.application.submit import BatchSpec
from orchestrator_svc.domain.tool import RetryPolicy
from shared.kernel.errors import UnavailableError
from shared.kernel.tasks import Supervisor
from tests.support.engine_world import failed, keys, later, ok, spec, started
from tests.support.world import CALLER, SECOND, World, running


@pytest.mark.parametrize("tool", ["read", "write", "send"])
async def test_what_runs_is_waited_for_and_recorded_whatever_its_effect(tool: str) -> None:
    world = World()
    async with started(world) as replica, Supervisor() as tasks:
        batch_id = await world.run(spec(tool, "a"), spec(tool, "b"), spec(tool, "c", "a"))
        world.engine.drain()
        landed = tasks.start(world.engine.landed(), "landed")
        replica.end(replica.held[0], ok())
        await world.settle()
        assert not landed.done()
        replica.end(replica.held[0], ok())
        await world.settle()
        assert landed.done()
        await world.engine.recorder.drain()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "SUCCEEDED", "c": "APPROVED"}
        assert keys([call.id for call in replica.received]) == ["a/1", "b/1"], "a dependent is the next start's"


async def test_nothing_more_is_sent() -> None:
    world = World()
    async with started(world, slots=1) as replica:
        policy = RetryPolicy(3, SECOND, SECOND)
        batch_id = await world.run(spec("read", "a", retry=policy), spec("read", "waits"), spec("pay", "p"))
        world.engine.drain()
        replica.end(replica.held[0], failed())
        await world.approve(f"{batch_id}/p")
        await later(world, 60)
        assert keys([call.id for call in replica.received]) == ["a/1"]
        assert (await world.states(batch_id)) == {"a": "APPROVED", "waits": "APPROVED", "p": "APPROVED"}


async def test_it_takes_no_more_submissions() -> None:
    world = World()
    async with started(world) as replica:
        world.engine.drain()
        with pytest.raises(UnavailableError, match="DRAINING") as refused:
            await world.submit.submit(CALLER, BatchSpec(proposals=[spec("read")]), None)
        assert refused.value.retry_after == NOTHING_RUNS
        assert replica.received == []


async def test_while_calls_run_callers_are_to_come_again_later() -> None:
    world = World()
    async with started(world):
        await world.run(spec("read"))
        world.engine.drain()
        with pytest.raises(UnavailableError, match="DRAINING") as refused:
            world.engine.check_capacity()
        assert refused.value.retry_after == WHILE_CALLS_RUN


async def test_one_prepared_before_it_is_recorded_and_not_sent() -> None:
    world = World()
    async with started(world) as replica:
        prepared = await world.submit.prepare(CALLER, BatchSpec(proposals=[spec("read", "a")]), None)
        world.engine.drain()
        await world.submit.commit(CALLER, prepared)
        await world.settle()
        assert replica.received == []
        assert (await world.states(prepared.batch_id)) == {"a": "APPROVED"}


async def test_an_unknown_outcome_is_not_waited_for() -> None:
    world = World()
    async with started(world) as replica, Supervisor() as tasks:
        batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await later(world, 60)
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
        world.engine.drain()
        landed = tasks.start(world.engine.landed(), "landed")
        await world.settle()
        assert landed.done()


async def test_what_the_grace_cuts_off_goes_on_by_its_effect_at_the_next_start() -> None:
    first = World()
    async with started(first) as replica:
        batch_id = await first.run(spec("read", "r"), spec("write", "w"), spec("send", "s"))
        first.engine.drain()
    replica.cut()
    await first.executors.signals()
    second = World(first.store, first.clock, first.executors)
    async with running(second, ()):
        replica.connect()
        await second.settle()
        assert keys([call.id for call in replica.received]) == ["r/1", "w/1", "s/1", "r/2", "w/2"]
        assert sorted(keys(replica.cancelled)) == ["r/1", "w/1"]
        replica.release()
        await second.settle()
        assert {*(await second.states(batch_id)).values()} == {"SUCCEEDED"}
