"""A finished batch has left the memory, and an outcome of it is unknown: its effect is looked for all the same."""

from dataclasses import replace

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.adapters.store.memory_batches import KeptBatch
from orchestrator_svc.adapters.store.memory_commits import Holdings
from orchestrator_svc.application.engine import ownership, resting
from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.proposal import Finding
from tests.support.companions import Company, joined, settled
from tests.support.engine_world import later, possible, spec, started
from tests.support.world import CALLER, TOOLS, World, running

PROBING = tuple(replace(each, probes=True) if each.key.name == "send" else each for each in TOOLS)
FOUND, BUSY = Look(Finding.FOUND, '"mail-7"'), Look(Finding.FAILED, message="busy")
LONGEST = 60


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "RESTING_BATCHES", 1)
    monkeypatch.setattr(ownership, "LET_GO_AFTER", 0)


async def calm(world: World) -> None:
    for _ in range(3):
        await world.settle()


async def cancelled(world: World, replica: Replica) -> str:
    """It is PARTIAL: what became of a call that was over is not known."""
    batch_id = await world.run(spec("send", "a"), spec("pay", "b"))
    replica.end(replica.held[-1], possible())
    await world.settle()
    await world.cancel.batch(CALLER, batch_id, "enough", None)
    await calm(world)
    assert (await world.batch(batch_id)).state.name == "PARTIAL"
    return batch_id


async def pushed_out(world: World, *batch_ids: str) -> None:
    """Others that rest have taken their place."""
    for _ in range(2):
        await world.run(spec("pay"))
    await calm(world)
    for _ in range(2):  # what was to be let go of is
        await world.owner.let_go()
    assert not any(batch_id in world.live for batch_id in batch_ids)


def kept(held: Holdings, batch_id: str) -> KeptBatch:
    found = held.find("default", batch_id)
    assert found is not None
    return found


def world_of(held: Holdings, like: World | None = None) -> World:
    store = MemoryStore(ProtobufEventCodec(), held)
    return World(store) if like is None else World(store, like.clock, like.executors)


async def test_when_it_is_time() -> None:
    held = Holdings()
    world = world_of(held)
    async with started(world, PROBING) as replica:
        looks = [BUSY]
        replica.probe("send", lambda _: looks[-1])
        batch_id = await cancelled(world, replica)
        for _ in range(10):
            await later(world, LONGEST)
        await pushed_out(world, batch_id)
        row, now = kept(held, batch_id), world.clock.time_ns()
        assert row.incarnation == ""
        assert row.wake_time is not None
        assert 0 < row.wake_time - now <= LONGEST * 10**9
        looks.append(FOUND)
        await later(world, (row.wake_time - now) / 1e9 - 0.001)
        assert (await world.states(batch_id))["a"] == "OUTCOME_UNKNOWN"
        await later(world, 0.3)
        await calm(world)
        assert (await world.proposal(f"{batch_id}/a")).result == '"mail-7"'
        assert (await world.batch(batch_id)).state.name == "PARTIAL"


async def test_as_seldom_as_if_it_had_stayed() -> None:
    """Each look is one on record; between two looks there is nothing to be read or written."""
    held = Holdings()
    world = world_of(held)
    async with started(world, PROBING) as replica:
        replica.probe("send", lambda _: BUSY)
        batches = [await cancelled(world, replica) for _ in range(20)]
        for _ in range(8):
            await later(world, LONGEST)
            await calm(world)
        before = len(replica.probed)
        rounds = 6
        for _ in range(rounds * 12):
            epochs = [kept(held, batch_id).epoch for batch_id in batches]
            looked = len(replica.probed)
            await later(world, LONGEST / 12)
            await calm(world)
            taken = sum(kept(held, each).epoch - epoch for each, epoch in zip(batches, epochs, strict=True))
            assert taken <= len(replica.probed) - looked
        looks = len(replica.probed) - before
        assert (rounds - 1) * len(batches) <= looks <= (rounds + 1) * len(batches)
        assert sum(batch_id in world.live for batch_id in batches) <= 1


async def test_by_another_orchestrator_too() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one) as first, joined(other, executor_id="executor-2") as second:
        for replica in (first, second):
            replica.describe(PROBING)
            replica.probe("send", lambda _: BUSY)
        await settled(one, other)
        batch_id = await cancelled(one, first)
        assert company.whose(batch_id) == one.incarnation.id
        await pushed_out(one, batch_id)
        assert company.whose(batch_id) == ""
        one.owner.sweep = _nothing  # type: ignore[method-assign]
        second.probe("send", lambda _: FOUND)
        company.clock.advance(LONGEST + 1)
        for world in (one, other):
            await world.owner.renew()
        await other.advance(0)
        await settled(other)
        assert (await other.proposal(f"{batch_id}/a")).result == '"mail-7"'


async def _nothing() -> None:
    pass


async def test_a_start_that_waits_for_executors_looks_once_they_are_there() -> None:
    held = Holdings()
    world = world_of(held)
    async with started(world, PROBING) as replica:
        replica.probe("send", lambda _: BUSY)
        batches = [await cancelled(world, replica) for _ in range(4)]
    again = world_of(held, world)
    async with running(again, ()):
        replica.cut()
        for _ in range(5):
            await later(again, LONGEST)
            await calm(again)
        assert sum(batch_id in again.live for batch_id in batches) <= 1
        replica.connect()
        replica.probe("send", lambda _: FOUND)
        for _ in range(3):
            await later(again, LONGEST)
            await calm(again)
        for batch_id in batches:
            assert (await again.states(batch_id))["a"] == "SUCCEEDED"


async def test_what_nobody_can_look_for_now_leaves_the_memory() -> None:
    """Its executors are away; some go in the middle of a look, while others wait for their turn."""
    held = Holdings()
    world = world_of(held)
    async with started(world, PROBING) as replica:
        batches = [await cancelled(world, replica) for _ in range(20)]
        assert (len(replica.probed), len(world.live)) == (16, 20)
        replica.cut()
        await calm(world)
        assert (len(world.live), sum(batch_id in world.live for batch_id in batches)) == (0, 1)
        for _ in range(3):
            await later(world, LONGEST + 1)
            await calm(world)
            assert (len(world.live), sum(batch_id in world.live for batch_id in batches)) == (0, 1)


async def test_one_whose_tool_cannot_look_is_left_alone() -> None:
    held = Holdings()
    world = world_of(held)
    async with started(world) as replica:
        batch_id = await cancelled(world, replica)
        await pushed_out(world, batch_id)
        epoch = kept(held, batch_id).epoch
        for _ in range(10):
            await later(world, LONGEST)
            await calm(world)
        assert kept(held, batch_id).epoch == epoch
        assert kept(held, batch_id).incarnation == world.incarnation.id, "the next start asks its executor anew"


@pytest.mark.parametrize("by", ["the next command", "another start"])
async def test_one_whose_tool_learns_to_look_meanwhile_is_looked_for_from_then_on(by: str) -> None:
    held = Holdings()
    world = world_of(held)
    async with started(world) as replica:
        batch_id = await cancelled(world, replica)
        await pushed_out(world, batch_id)
        replica.describe(PROBING)
        replica.probe("send", lambda _: FOUND)
        for _ in range(3):
            await later(world, LONGEST)
            await calm(world)
        assert (await world.states(batch_id))["a"] == "OUTCOME_UNKNOWN"
        if by == "the next command":
            await world.cancel.batch(CALLER, batch_id, "once more", None)
            await later(world, LONGEST)
            await calm(world)
            assert (await world.states(batch_id))["a"] == "SUCCEEDED"
            return
    replica.cut()
    again = world_of(held, world)
    async with running(again, ()):
        replica.connect()
        await later(again, LONGEST)
        await calm(again)
        assert (await again.states(batch_id))["a"] == "SUCCEEDED"


async def test_many_that_are_due_at_once_have_each_their_look() -> None:
    """However few may be looked for at a time, and however few stay in memory."""
    held = Holdings()
    world = world_of(held)
    async with started(world, PROBING) as replica:
        replica.probe("send", lambda _: BUSY)
        batches = [await cancelled(world, replica) for _ in range(60)]
    again = world_of(held, world)
    async with running(again, ()):
        slow = world.executors.add(PROBING)
        await calm(again)
        await later(again, LONGEST + 1)
        await calm(again)
        assert len(slow.probed) == 16
        assert all(batch_id in again.live for batch_id in batches)
        answered = 0
        while answered < len(slow.probed):
            slow.answer_look(slow.probed[answered], FOUND)
            answered += 1
            await calm(again)
        assert answered == len(batches)
        for batch_id in batches:
            assert (await again.states(batch_id))["a"] == "SUCCEEDED"
        assert len(again.live) == 0
