"""An executor is started anew while a NON_IDEMPOTENT call runs: its journal says what became of the call."""

import pytest

from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.application.summaries import Waiting, WaitingReason, waiting
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.domain.tool import KnownEffect, RetryPolicy
from tests.support.engine_world import keys, later, ok, spec, started, story
from tests.support.world import CALLER, SECOND, TOOLS, World, running

ONCE = RetryPolicy(1, SECOND, SECOND)


async def restarted(world: World, *, journal_lost: bool = False) -> Replica:
    """A new start of the one executor."""
    fresh = world.executors.add(TOOLS, journal_lost=journal_lost)
    await world.settle()
    return fresh


async def ended_unheard(world: World, replica: Replica, result: str = "7") -> None:
    """The stream breaks, then the call ends."""
    replica.cut()
    await world.settle()
    replica.end(replica.held[0], ok(result))


async def test_its_outcome_settles_it() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        await ended_unheard(world, replica)
        fresh = await restarted(world)
        assert (await world.proposal(f"{batch_id}/a")).result == "7"
        assert keys(fresh.acknowledged) == ["a/1"]
        assert len(world.engine.flights) == 0


async def test_where_the_executor_died_with_it_its_outcome_is_unknown_at_once() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a", retry=RetryPolicy(3, SECOND, SECOND)))
        fresh = await restarted(world)
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
        failure = (await world.proposal(f"{batch_id}/a")).failure
        assert failure is not None
        assert (failure.reason, failure.known_effect) == ("EXECUTOR_ENDED", KnownEffect.POSSIBLE)
        assert keys(fresh.acknowledged) == ["a/1"]
        assert fresh.held == []
        assert keys(replica.held) == ["a/1"]


async def test_what_it_never_saw_is_sent_again_and_takes_none_of_the_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with started(world) as replica:
        with monkeypatch.context() as broken:
            broken.setattr(replica, "send", lambda _: True)  # the frame never comes through
            batch_id = await world.run(spec("send", "a", retry=ONCE))
        replica.cut()
        await world.settle()
        fresh = await restarted(world)
        await later(world, 1)
        assert keys(fresh.held) == ["a/2"]
        fresh.release()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}
        assert f"{batch_id}/a/1" in fresh.journal.fenced


async def test_what_it_never_saw_and_was_cancelled_meanwhile_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with started(world) as replica:
        with monkeypatch.context() as broken:
            broken.setattr(replica, "send", lambda _: True)
            batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await world.settle()
        await world.cancel.batch(CALLER, batch_id, "enough", None)
        await restarted(world)
        assert (await world.states(batch_id)) == {"a": "CANCELLED"}


async def test_a_journal_that_is_lost_leaves_it_unknown() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        await ended_unheard(world, replica)
        await restarted(world, journal_lost=True)
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
        failure = (await world.proposal(f"{batch_id}/a")).failure
        assert failure is not None
        assert failure.reason == "EXECUTOR_CANNOT_SAY"


async def test_a_journal_behind_what_is_on_record_leaves_it_unknown() -> None:
    world = World()
    async with started(world) as replica:
        first = await world.run(spec("send", "a"))
        replica.release()
        await world.settle()
        assert (await world.states(first)) == {"a": "SUCCEEDED"}
        batch_id = await world.run(spec("send", "b"))
        replica.journal.calls.clear()
        replica.journal.position = 1
        await restarted(world)
        assert (await world.states(batch_id)) == {"b": "OUTCOME_UNKNOWN"}


async def test_how_far_a_journal_stood_is_on_record() -> None:
    world = World()
    async with started(world) as replica:
        await world.run(spec("send", "a"), spec("send", "b"), spec("read", "c"))
        replica.start(replica.held[0])
        await world.settle()
        assert await world.store.journal_positions() == {"executor-1": 2}
        replica.release()
        await world.settle()
        assert await world.store.journal_positions() == {"executor-1": 4}
    again = World(world.store, world.clock, world.executors)
    async with running(again, ()):
        batch_id = await again.run(spec("send", "d"))
        replica.journal.calls.clear()
        replica.journal.position = 3
        await restarted(again)
        assert (await again.states(batch_id)) == {"d": "OUTCOME_UNKNOWN"}


async def test_an_outcome_that_comes_after_the_window_settles_it_by_itself() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"))
        await ended_unheard(world, replica)
        await later(world, 61)
        assert (await world.states(batch_id))["a"] == "OUTCOME_UNKNOWN"
        fresh = await restarted(world)
        assert (await world.states(batch_id))["a"] == "SUCCEEDED"
        assert keys(fresh.held) == ["b/1"]


async def test_after_the_window_what_was_never_seen_is_sent_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with started(world) as replica:
        with monkeypatch.context() as broken:
            broken.setattr(replica, "send", lambda _: True)
            batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await later(world, 61)
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
        fresh = await restarted(world)
        await later(world, 30)
        assert keys(fresh.held) == ["a/2"]


async def test_after_a_person_resolved_it_the_journals_word_changes_nothing_and_is_let_go() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("pay", "b"))
        await ended_unheard(world, replica)
        await later(world, 59)
        await later(world, 1)
        await world.resolve.resolve(CALLER, f"{batch_id}/a", Resolution.FAILED, "", "looked", None, None)
        await world.settle()
        fresh = await restarted(world)
        assert (await world.states(batch_id))["a"] == "FAILED"
        assert keys(fresh.acknowledged) == ["a/1"]


async def test_a_later_start_is_asked_also_where_the_earlier_ones_stream_breaks_after_it_came() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        fresh = world.executors.prepare(TOOLS)  # which cuts the earlier one
        await world.settle()
        replica.connect()
        fresh.connect()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "RUNNING"}, "who runs it is there"
        replica.cut()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}


async def test_a_later_start_that_is_asked_and_says_nothing_has_no_longer_than_the_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await later(world, 30)
        fresh = world.executors.prepare(TOOLS)
        monkeypatch.setattr(fresh, "attach", lambda _: None)
        fresh.connect()
        await later(world, 29)
        assert world.engine.outlook.unheard(f"{batch_id}/a/1") is not None
        assert (await world.states(batch_id)) == {"a": "RUNNING"}
        await later(world, 1)
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}


async def test_both_were_started_anew() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("send", "b"))
        first, second = replica.held
    replica.cut()
    replica.end(first, ok("7"))
    again = World(world.store, world.clock, world.executors)
    async with running(again, ()):
        await later(again, 10)
        fresh = await restarted(again)
        assert (await again.states(batch_id)) == {"a": "SUCCEEDED", "b": "OUTCOME_UNKNOWN"}
        assert sorted(keys(fresh.acknowledged)) == ["a/1", "b/1"]
        assert keys([second]) == ["b/1"]


async def test_while_the_executor_is_away_the_call_says_that_it_waits_for_it() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))

        async def wait() -> Waiting | None:
            view = await world.store.get_proposal("default", batch_id, "a")
            assert view is not None
            return waiting(view, world.executors, world.engine.outlook)

        assert await wait() is None
        since = world.clock.time_ns()
        replica.cut()
        await later(world, 20)
        assert await wait() == Waiting(WaitingReason.LOST_EXECUTOR, since, since + 60 * SECOND)
        replica.connect()
        await world.settle()
        assert await wait() is None
        assert await story(world, batch_id, "a") == ["proposal_added", "attempt_dispatched"]
