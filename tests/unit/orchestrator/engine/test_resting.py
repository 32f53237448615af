"""Batches that rest: a few stay in memory, the others are taken again when a command or their time comes."""

import asyncio
from typing import Any

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.adapters.store.memory_commits import Holdings
from orchestrator_svc.application.engine import resting, timers
from orchestrator_svc.application.engine.live import LiveBatches
from orchestrator_svc.application.engine.ownership import MARGIN
from orchestrator_svc.application.engine.timers import Timers
from orchestrator_svc.domain.changes import Timer, TimerKind
from shared.kernel.errors import UnavailableError
from tests.support.clock import ManualClock
from tests.support.companions import Company, joined, settled
from tests.support.engine_world import spec, started, story
from tests.support.held_store import HeldStore
from tests.support.world import World, running

HOUR, DAY = 3600, 86_400


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "RESTING_BATCHES", 2)


def in_memory(live: LiveBatches, *batch_ids: str) -> list[bool]:
    return [batch_id in live for batch_id in batch_ids]


async def test_the_latest_stay_and_using_one_makes_it_the_latest() -> None:
    world = World()
    async with started(world):
        first, second = await world.run(spec("pay", "a"), spec("pay", "b")), await world.run(spec("pay", "a"))
        async with world.live.pin("default", first):
            pass
        third = await world.run(spec("pay", "a"))
        assert in_memory(world.live, first, second, third) == [True, False, True]
        assert len(world.live) == 0


async def test_what_runs_or_is_used_stays_whatever_rests() -> None:
    world = World()
    async with started(world):
        running = await world.run(spec("read"))
        used = await world.run(spec("pay"))
        async with world.live.pin("default", used) as batch:
            others = [await world.run(spec("pay")) for _ in range(4)]
            assert in_memory(world.live, running, used, *others) == [True, True, False, False, True, True]
            assert world.live.get(used) is batch


async def test_a_heavy_one_makes_room_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "RESTING_WEIGHT", 10)
    world = World()
    async with started(world):
        light = await world.run(spec("pay"))
        heavy = await world.run(*[spec("pay") for _ in range(10)])
        assert in_memory(world.live, light, heavy) == [False, True]


async def test_one_that_has_left_the_memory_goes_on_with_the_next_command() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("pay", "a"), spec("read", "b", "a"))
        for _ in range(2):
            await world.run(spec("pay"))
        await world.approve(f"{batch_id}/a")
        for _ in range(2):
            replica.release()
            await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}


async def test_one_that_has_left_the_memory_expires_in_its_time() -> None:
    world = World()
    async with started(world):
        batch_id = await world.run(spec("pay", "a"))
        await world.advance(HOUR)
        others = [await world.run(spec("pay")) for _ in range(2)]
        assert in_memory(world.live, batch_id) == [False]
        await world.advance(DAY - HOUR)
        assert await world.states(batch_id) == {"a": "PROPOSED"}, "who had it last has its turn first"
        await world.advance(MARGIN / 1e9)
        assert await story(world, batch_id, "a") == ["proposal_added", "decision_requested", "proposal_expired"]
        assert {state for other in others for state in (await world.states(other)).values()} == {"PROPOSED"}


async def test_an_idle_one_that_has_left_the_memory_closes_in_its_time() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read"), open=True)
        replica.release()
        await world.settle()
        for _ in range(2):
            await world.run(spec("pay"))
        assert in_memory(world.live, batch_id) == [False]
        await world.advance(901)
        assert (await world.batch(batch_id)).state.name == "SUCCEEDED"


async def test_whoever_sleeps_is_woken_when_the_earliest_leaves_the_memory() -> None:
    """No clock of the world's moves: the sweep waits for the time that it was told last."""
    world = World()
    async with started(world):
        soon = await world.run(spec("pay", "a", approval_deadline=1))
        assert world.live.next_wake is None
        for _ in range(2):
            await world.run(spec("pay"))
        assert world.live.next_wake is not None
        world.clock.advance(1)
        await settled(world)
        await asyncio.sleep(0.1)
        await settled(world)
        assert await world.states(soon) == {"a": "EXPIRED"}


class CountingStore(MemoryStore):
    """Counts how often it is asked how far the executors' journals stood."""

    asked = 0

    async def journal_positions(self) -> dict[str, int]:
        self.asked += 1
        return await super().journal_positions()


async def test_who_is_alone_asks_once_how_far_journals_stood_however_many_batches_run() -> None:
    held, codec = Holdings(), ProtobufEventCodec()
    world = World(MemoryStore(codec, held))
    async with started(world):
        for _ in range(5):
            await world.run(spec("send"))
    store = CountingStore(codec, held)
    again = World(store, world.clock, world.executors)
    async with running(again, ()):
        await again.settle()
        assert (len(again.live), store.asked) == (5, 1)


async def test_what_comes_together_is_asked_about_together() -> None:
    company = Company()
    one = company.world()
    async with joined(one) as replica:
        for _ in range(5):
            await one.run(spec("send"))
    store = CountingStore(ProtobufEventCodec(), company.held, shared=True, clock=company.clock)
    other = World(store, company.clock, one.executors, bus=company.bus)
    async with joined(other, known=replica):
        await company.watch_leases(other, periods=1.7)
        assert (len(other.live), store.asked) == (5, 2), "once at the start, and once after they were taken"


async def test_one_that_is_taken_anew_is_not_let_go_of_for_what_it_was() -> None:
    company = Company()
    one, other = company.world(), company.world()
    async with joined(one), joined(other):
        batch_id = await other.run(spec("pay", "a"))
        async with one.live.pin("default", batch_id):
            pass
        for _ in range(2):
            await one.run(spec("pay"))
        assert in_memory(one.live, batch_id) == [False]
        await one.approve(f"{batch_id}/a")
        await one.owner.let_go()
        assert company.whose(batch_id) == one.incarnation.id
        assert not one.live.may_be_taken(batch_id)


async def test_a_batch_taken_while_it_is_taken_as_due_is_there_once() -> None:
    company = Company()
    other = company.world()
    async with joined(other) as replica:
        batch_id = await other.run(spec("pay", "a"), spec("read", "b"))
    one = company.world(other.executors)
    async with joined(one, known=replica):
        await one.store.supersede((await one.store.renew()).others[0])
        (due,) = await one.store.take_due(one.clock.time_ns(), one.catalogue)
        async with one.live.pin("default", batch_id) as batch:
            await one.live.adopt([due])
            assert one.live.get(batch_id) is batch
            assert batch.epoch > due.epoch
        await one.settle()
        replica.release()
        await one.settle()
        assert await one.states(batch_id) == {"a": "PROPOSED", "b": "SUCCEEDED"}


class Mute(HeldStore):
    """What is taken is taken, and while it is `mute` nobody is told."""

    mute = True

    async def take(self, *arguments: Any) -> Any:
        found = await super().take(*arguments)
        if self.mute:
            raise UnavailableError("STORE_UNAVAILABLE", "the answer was lost", retry_after=1.0)
        return found


async def test_what_may_have_been_taken_is_looked_after() -> None:
    company = Company()
    one, store = company.world(), Mute(company.world().store)
    other = World(store.port, company.clock, bus=company.bus)
    async with joined(one), joined(other):
        batch_id = await one.run(spec("pay", "a"))
        with pytest.raises(UnavailableError):
            async with other.live.pin("default", batch_id):
                pass
        assert company.whose(batch_id) == other.incarnation.id
        store.mute = False
        await other.owner.sweep()
        await other.settle()
        await other.owner.let_go()
        assert company.whose(batch_id) == ""


def test_timers_of_batches_that_have_left_the_memory_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "FEW", 8)
    clock, live = ManualClock(), {"stays"}
    heap = Timers(clock, live.__contains__)
    now = clock.time_ns()
    heap.add("stays", [Timer(now + 5, TimerKind.EXPIRY, 1, 1)], now)
    for number in range(1_000):
        heap.add(f"goes-{number}", [Timer(now + number, TimerKind.EXPIRY, 1, 1)], now)
        assert len(heap) <= 9
    clock.advance(1)
    assert [batch_id for batch_id, _ in heap.take_due()].count("stays") == 1
