"""A call ends when its batch is not where its executor says so: in nobody's memory, or at another orchestrator."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.application.engine import late, resting
from orchestrator_svc.application.engine.flights import Sent
from orchestrator_svc.application.engine.late import LateEnding
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.domain.tool import FailureClass
from orchestrator_svc.ports.executor import Target
from shared.kernel.errors import UnavailableError
from shared.kernel.tasks import Supervisor
from tests.support.companions import Company, joined, settled
from tests.support.engine_world import events, failed, keys, later, ok, spec, started
from tests.support.world import CALLER, World

LATE = "outcome_arrived_late"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "FIRST_PAUSE", 0.01)


async def resolved(world: World, proposal_id: str, resolution: Resolution = Resolution.FAILED) -> None:
    await world.resolve.resolve(CALLER, proposal_id, resolution, "", "looked", None, None)
    await world.settle()


async def acknowledged(replica: Replica, *worlds: World) -> list[str]:
    """Once there is something."""
    while not replica.acknowledged:
        await settled(*worlds)
    return keys(replica.acknowledged)


async def late_ones(world: World, batch_id: str) -> list[tuple[str, int, str]]:
    """Result, attempt, state of the proposal of each."""
    return [
        (event.outcome_arrived_late.result_json, event.attempt, State(event.state).name)
        for event in await events(world, batch_id)
        if event.HasField(LATE)
    ]


class Two:
    """`one` has sent `a`, whose outcome is unknown. Each has an executor of its own: only `one` is told how it ends."""

    def __init__(self) -> None:
        self.company = Company()
        self.one, self.other = self.company.world(), self.company.world()
        self.batch_id = ""

    @property
    def a(self) -> str:
        return f"{self.batch_id}/a"

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[tuple[Replica, Replica]]:
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(joined(self.one))
            second = await stack.enter_async_context(joined(self.other, executor_id="executor-2"))
            self.batch_id = await self.one.run(spec("send", "a"), spec("pay", "b"), spec("pay", "c"))
            first.stubborn = True
            first.cut()
            await later(self.one, 60)
            first.connect()
            for world in (self.one, self.other):
                await world.owner.renew()
            await self.settle()
            assert await self.one.states(self.batch_id) == {"a": "OUTCOME_UNKNOWN", "b": "PROPOSED", "c": "PROPOSED"}
            yield first, second

    async def settle(self) -> None:
        await settled(self.one, self.other)

    async def taken(self) -> None:
        """By `other`, for a command."""
        await self.other.approve(f"{self.batch_id}/b")
        assert self.company.whose(self.batch_id) == self.other.incarnation.id


@pytest.fixture
def two() -> Two:
    return Two()


@pytest.mark.parametrize("resolution", Resolution)
async def test_of_one_that_was_resolved_and_is_anothers(two: Two, resolution: Resolution) -> None:
    async with two.running() as (first, second):
        await resolved(two.one, two.a, resolution)
        if resolution is Resolution.RUN_AGAIN:
            first.end(first.held[-1], failed(FailureClass.PERMANENT))
            first.acknowledged.clear()
            await two.settle()
        await two.taken()
        state = (await two.one.states(two.batch_id))["a"]
        first.acknowledged.clear()
        first.end(first.held[0], ok("7"))
        assert await acknowledged(first, two.one, two.other) == ["a/1"]
        assert await late_ones(two.one, two.batch_id) == [("7", 1, state)]
        assert (await two.one.states(two.batch_id)) == {"a": state, "b": "RUNNING", "c": "PROPOSED"}
        assert not (await two.one.proposal(two.a)).attempts[0].may_still_run
        assert two.company.whose(two.batch_id) == two.other.incarnation.id
        assert keys(second.held) == ["b/1"]
        assert (await two.one.store.journal_positions())["executor-1"] == first.journal.position


async def test_of_one_whose_batch_has_come_back_to_nobody(two: Two) -> None:
    async with two.running() as (first, second):
        await resolved(two.one, two.a)
        await two.taken()
        second.release()
        await two.settle()
        assert two.company.whose(two.batch_id) == ""
        first.end(first.held[0], ok("7"))
        assert await acknowledged(first, two.one, two.other) == ["a/1"]
        assert await late_ones(two.one, two.batch_id) == [("7", 1, "FAILED")]


async def test_it_is_not_acknowledged_before_it_is_on_record(two: Two) -> None:
    """Its owner says nothing for a while."""
    async with two.running() as (first, _):
        await resolved(two.one, two.a)
        await two.taken()
        away = True
        receive = two.other.store.received

        async def received(limit: int) -> list[Any]:
            if away:
                raise UnavailableError("STORE_UNAVAILABLE", "not now")
            return await receive(limit)

        two.other.store.received = received  # type: ignore[method-assign, assignment]
        first.end(first.held[0], ok("7"))
        for _ in range(3):
            await two.settle()
        assert (first.acknowledged, await late_ones(two.one, two.batch_id)) == ([], [])
        away = False
        assert await acknowledged(first, two.one, two.other) == ["a/1"]
        assert await late_ones(two.one, two.batch_id) == [("7", 1, "FAILED")]


async def test_told_twice_it_is_on_record_once(two: Two) -> None:
    """Who told the owner is not sure that it was heard."""
    async with two.running() as (first, _):
        await resolved(two.one, two.a)
        await two.taken()
        record, tries = two.one.engine.late.record, 0

        async def unsure(ending: Any) -> None:
            nonlocal tries
            tries += 1
            await record(ending)
            if tries == 1:
                raise UnavailableError("OWNER_SILENT", "not known")

        two.one.engine.late.record = unsure
        first.end(first.held[0], ok("7"))
        assert await acknowledged(first, two.one, two.other) == ["a/1"]
        assert tries == 2
        assert await late_ones(two.one, two.batch_id) == [("7", 1, "FAILED")]


async def test_of_one_that_is_unknown_and_anothers(two: Two) -> None:
    """Who has the batch now does not reach the executor; who had it does, and goes."""
    async with two.running() as (first, _):
        two.one.engine.drain()
        async with Supervisor() as tasks:
            tasks.start(two.one.owner.leave(), "leaving")
            await two.settle()
            assert two.company.whose(two.batch_id) == two.other.incarnation.id
            assert (await two.one.states(two.batch_id))["a"] == "OUTCOME_UNKNOWN"
            first.end(first.held[0], ok("7"))
            assert await acknowledged(first, two.one, two.other) == ["a/1"]
            assert (await two.one.proposal(two.a)).result == "7"
            assert two.company.whose(two.batch_id) == ""
            assert await late_ones(two.one, two.batch_id) == []


async def test_of_one_whose_batch_a_fault_has_ended() -> None:
    """It was dropped from memory, and taken up anew."""
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("send", "b"))
        batch = world.live.get(batch_id)
        assert batch is not None
        world.engine.faults.end(batch, ZeroDivisionError())
        await world.settle()
        assert await world.states(batch_id) == {"a": "OUTCOME_UNKNOWN", "b": "OUTCOME_UNKNOWN"}
        replica.end(replica.held[0], ok("7"))
        replica.end(replica.held[0], failed(FailureClass.PERMANENT))
        assert sorted(await acknowledged(replica, world)) == ["a/1", "b/1"]
        assert await world.states(batch_id) == {"a": "SUCCEEDED", "b": "FAILED"}


async def test_of_one_that_has_left_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "RESTING_BATCHES", 1)
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await later(world, 60)
        await resolved(world, f"{batch_id}/a", Resolution.SUCCEEDED)
        await world.run(spec("pay"))
        assert batch_id not in world.live
        replica.end(replica.held[0], failed(FailureClass.PERMANENT))
        replica.connect()
        assert await acknowledged(replica, world) == ["a/1"]
        assert await late_ones(world, batch_id) == [("", 1, "SUCCEEDED")]


@pytest.mark.parametrize("resolution", Resolution)
async def test_whoever_takes_the_batch_asks_for_it(resolution: Resolution) -> None:
    """Who was to be told is gone."""
    company = Company()
    one = company.world()
    async with joined(one) as replica:
        batch_id = await one.run(spec("send", "a"), spec("pay", "b"))
        replica.stubborn = True
        replica.cut()
        await later(one, 60)
        await resolved(one, f"{batch_id}/a", resolution)
    replica.end(replica.held[0], ok("7"))
    other = company.world(one.executors)
    async with joined(other, known=replica):
        await company.watch_leases(other)
        if company.whose(batch_id) != other.incarnation.id:
            await other.approve(f"{batch_id}/b")
        assert await acknowledged(replica, other) == ["a/1"]
        state = (await other.states(batch_id))["a"]
        assert await late_ones(other, batch_id) == [("7", 1, state)]


async def test_also_of_a_batch_that_is_finished() -> None:
    company = Company()
    one = company.world()
    async with joined(one) as replica:
        batch_id = await one.run(spec("send", "a"))
        replica.cut()
        await later(one, 60)
        await resolved(one, f"{batch_id}/a")
    replica.end(replica.held[0], ok("7"))
    other = company.world(one.executors)
    async with joined(other, known=replica):
        assert (company.whose(batch_id), (await other.batch(batch_id)).state.name) == ("", "FAILED")
        await other.cancel.batch(CALLER, batch_id, "", None)
        assert await acknowledged(replica, other) == ["a/1"]
        assert await late_ones(other, batch_id) == [("7", 1, "FAILED")]
        await other.owner.let_go()
        assert company.whose(batch_id) == ""


async def test_of_one_that_was_resolved_and_never_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what its executor says of how it ended: it does not run any more."""
    world = World()
    async with started(world) as replica:
        with monkeypatch.context() as broken:
            broken.setattr(replica, "send", lambda _: True)  # the frame never comes through
            batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await later(world, 60)
        await resolved(world, f"{batch_id}/a")
        replica.connect()
        await settled(world)
        assert (await events(world, batch_id))[-1].outcome_arrived_late.failure.reason == "NEVER_SEEN"
        assert not (await world.proposal(f"{batch_id}/a")).attempts[0].may_still_run
        assert await world.states(batch_id) == {"a": "FAILED"}


async def test_what_another_executor_says_of_it_counts_for_nothing() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await later(world, 60)
        sent = Sent(f"{batch_id}/a/1", "default", batch_id, "a", 1, Target("executor-2", "boot-1"))
        for number in (1, 2):
            await world.engine.late.record(LateEnding(sent._replace(attempt=number), ok("7"), 0))
        assert await world.states(batch_id) == {"a": "OUTCOME_UNKNOWN"}
        await world.engine.late.record(LateEnding(sent._replace(target=replica.target), ok("7"), 0))
        assert await world.states(batch_id) == {"a": "SUCCEEDED"}


async def test_one_that_cannot_be_recorded_stays_with_its_executor(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    async with started(world) as replica:
        sent = Sent("nothing/a/1", "default", "nothing", "a", 1, replica.target)
        world.engine.late.put(LateEnding(sent, ok(), 0))
        await settled(world)
        assert "BATCH_UNKNOWN" in caplog.text
        assert replica.acknowledged == []
