"""How long recording took is recorded too, later than all else, so that nothing waits for it."""

import asyncio

import pytest

from orchestrator_svc.application.engine import recorder
from tests.support.engine_world import ok, spec, started
from tests.support.world import World

NEVER = 3600.0


async def end_one(world: World) -> dict[int, int]:
    """The record times of a call, once its batch has ended, by attempt."""
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"))
        replica.end(replica.held[0], ok())
        await world.settle()
        await asyncio.sleep(0.01)
        view = await world.store.get_proposal("default", batch_id, "a")
    assert view is not None
    assert view.proposal.state.name == "SUCCEEDED"
    return view.record_times


async def test_they_wait_until_nothing_else_has_come_for_a_while(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recorder, "RECORD_TIMES_AFTER", NEVER)
    assert await end_one(World()) == {}
    monkeypatch.setattr(recorder, "RECORD_TIMES_AFTER", 0.001)
    assert (await end_one(World())).keys() == {1}


async def test_no_more_than_so_many_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recorder, "RECORD_TIMES_AFTER", NEVER)
    monkeypatch.setattr(recorder, "MAX_TIMES", 2)
    assert (await end_one(World())).keys() == {1}
