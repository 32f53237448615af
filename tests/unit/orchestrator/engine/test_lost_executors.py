"""An executor goes away while calls run: what happens then goes by their effect."""

import asyncio

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.domain.tool import FailureClass, KnownEffect, RetryPolicy
from tests.support.engine_world import events, failed, keys, later, ok, possible, spec, started, story
from tests.support.held_store import HeldStore
from tests.support.world import CALLER, SECOND, World


async def test_a_read_runs_again_elsewhere() -> None:
    world = World()
    async with started(world) as first:
        batch_id = await world.run(spec("read", "a", retry=RetryPolicy(3, SECOND, SECOND)))
        second = world.executors.add([*first.tools.values()], executor_id="executor-2")
        first.cut()
        await later(world, 1)
        assert keys(second.held) == ["a/2"]
        second.release()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}


async def test_an_idempotent_call_runs_again_with_the_same_key() -> None:
    world = World()
    async with started(world) as first:
        await world.run(spec("write", "a"), spec("write", "b", idempotency_key="mine"))
        second = world.executors.add([*first.tools.values()], executor_id="executor-2")
        first.cut()
        await later(world, 30)
        keys_before = {call.id.rpartition("/")[0]: call.idempotency_key for call in first.received}
        keys_after = {call.id.rpartition("/")[0]: call.idempotency_key for call in second.received}
        assert keys_before == keys_after
        assert sorted(keys(second.held)) == ["a/2", "b/2"]
        assert "mine" in keys_after.values()
        assert all(len(key) == 64 or key == "mine" for key in keys_after.values())


async def test_a_side_effect_is_attached_again_and_its_outcome_counts() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"))
        replica.cut()
        await later(world, 59)
        assert (await world.states(batch_id))["a"] == "RUNNING"
        replica.connect()
        await world.settle()
        replica.end(replica.held[0], ok("7"))
        await world.settle()
        assert keys([call.id for call in replica.received]) == ["a/1", "b/1"]
        assert (await world.proposal(f"{batch_id}/a")).result == "7"


async def test_a_side_effect_that_ended_meanwhile_settles_when_it_is_back() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await world.settle()
        replica.end(replica.held[0], ok("7"))
        await later(world, 30)
        assert (await world.states(batch_id)) == {"a": "RUNNING"}
        replica.connect()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}
        assert keys(replica.acknowledged) == ["a/1"]


async def test_after_the_window_its_outcome_is_unknown_and_a_late_one_settles_it() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"), spec("read", "c", "a?"))
        replica.cut()
        await later(world, 59)
        await later(world, 1)
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN", "b": "APPROVED", "c": "APPROVED"}
        assert (await world.batch(batch_id)).state.name == "BLOCKED"
        failure = (await world.proposal(f"{batch_id}/a")).failure
        assert failure is not None
        assert failure.known_effect is KnownEffect.POSSIBLE
        replica.end(replica.held[0], ok("7"))
        replica.connect()
        await world.settle()
        assert keys(replica.held) == ["b/1", "c/1"]
        replica.release()
        await world.settle()
        assert (await world.batch(batch_id)).state.name == "SUCCEEDED"


async def test_a_shutdown_waits_for_what_runs_and_not_for_what_nobody_knows() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        assert world.engine.flights.waiting
        replica.cut()
        await later(world, 59)
        assert world.engine.flights.waiting
        await later(world, 1)
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
        assert not world.engine.flights.waiting


async def test_a_late_failure_settles_it_too() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"))
        replica.cut()
        await later(world, 60)
        replica.end(replica.held[0], failed(FailureClass.PERMANENT))
        replica.connect()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "FAILED", "b": "SKIPPED"}


async def test_a_late_outcome_settles_it_in_a_batch_that_was_cancelled_meanwhile() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("pay", "b"))
        replica.cut()
        await later(world, 60)
        await world.cancel.batch(CALLER, batch_id, "enough", None)
        await world.settle()
        assert (await world.batch(batch_id)).state.name == "PARTIAL"
        replica.end(replica.held[0], ok())
        replica.connect()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "CANCELLED"}
        assert len(world.live) == 0


async def test_a_late_outcome_finds_a_batch_that_was_taken_up_again() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("pay", "b"))
        replica.cut()
        await later(world, 60)
        await world.cancel.batch(CALLER, batch_id, "enough", None)
        await world.settle()
        await world.retry.retry(CALLER, [f"{batch_id}/b"], "", (), "", None)
        await world.settle()
        replica.end(replica.held[0], ok())
        replica.connect()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "PROPOSED"}
        await world.approve(f"{batch_id}/b")
        assert keys(replica.held) == ["b/1"]


async def test_after_a_person_resolved_it_a_late_outcome_changes_nothing() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await later(world, 60)
        await world.resolve.resolve(CALLER, f"{batch_id}/a", Resolution.FAILED, "", "looked", None, None)
        assert (await world.proposal(f"{batch_id}/a")).attempts[0].may_still_run
        replica.end(replica.held[0], ok("7"))
        replica.connect()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "FAILED"}
        last = (await events(world, batch_id))[-1]
        assert (last.outcome_arrived_late.result_json, last.attempt, last.state) == ("7", 1, State.FAILED)
        assert not (await world.proposal(f"{batch_id}/a")).attempts[0].may_still_run
        assert (await world.batch(batch_id)).state.name == "FAILED"
        assert keys(replica.acknowledged) == ["a/1"]


async def test_a_late_outcome_waits_for_a_store_that_is_away() -> None:
    held = HeldStore(MemoryStore(ProtobufEventCodec()))
    world = World(held.port)
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await later(world, 60)
        await world.resolve.resolve(CALLER, f"{batch_id}/a", Resolution.FAILED, "", "looked", None, None)
        world.live.drop(batch_id)
        held.away = True
        replica.end(replica.held[0], ok("7"))
        replica.connect()
        await world.settle()
        assert replica.acknowledged == []
        held.away = False
        while not replica.acknowledged:  # noqa: ASYNC110 - until it is
            await asyncio.sleep(0.01)
        assert (await story(world, batch_id, "a"))[-1] == "outcome_arrived_late"


async def test_one_that_was_never_sent_is_not_given_up_with_its_executor() -> None:
    held = HeldStore(MemoryStore(ProtobufEventCodec()))
    world = World(held.port)
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"), spec("send", "b", "a"))
        held.hold()
        replica.end(replica.held[0], ok())
        await world.settle()
        replica.cut()
        await later(world, 60)
        held.release()
        await later(world, 1)
        other = world.executors.add([*replica.tools.values()], executor_id="executor-2")
        await later(world, 1)
        assert keys(other.held) == ["b/2"]
        told = await story(world, batch_id, "b")
        assert told[-3:] == ["attempt_dispatched", "attempt_retrying", "attempt_dispatched"]


async def test_run_again_says_whether_the_earlier_attempt_may_still_run_and_shows_its_late_outcome() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("send", "b"))
        replica.end(replica.held[1], possible())
        other = world.executors.add([*replica.tools.values()], executor_id="executor-2")
        replica.cut()
        await later(world, 60)
        for key in ("a", "b"):
            await world.resolve.resolve(CALLER, f"{batch_id}/{key}", Resolution.RUN_AGAIN, "", "gone", None, None)
        await world.settle()
        resolved = [event for event in await events(world, batch_id) if event.HasField("proposal_resolved")]
        assert [(e.key, e.proposal_resolved.earlier_may_still_run) for e in resolved] == [("a", True), ("b", False)]
        replica.end(replica.held[0], ok("7"))
        replica.connect()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "RUNNING", "b": "RUNNING"}
        assert (await events(world, batch_id))[-1].outcome_arrived_late.result_json == "7"
        assert (await events(world, batch_id))[-1].attempt == 1
        other.release()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}


async def test_what_was_never_seen_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    async with started(world) as replica:
        with monkeypatch.context() as broken:
            broken.setattr(replica, "send", lambda _: True)  # the frame never comes through
            batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await world.settle()
        replica.connect()
        await later(world, 30)
        assert keys(replica.held) == ["a/2"]
        replica.release()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}
        assert len((await world.proposal(f"{batch_id}/a")).attempts) == 2


async def test_one_that_goes_away_before_the_record_is_written_gets_nothing() -> None:
    world = World()
    async with started(world) as replica:
        replica.drain()
        other = world.executors.add([*replica.tools.values()], executor_id="executor-2")
        await world.run(spec("send", "a"))
        assert keys(other.held) == ["a/1"]
        other.drain()
        await world.run(spec("send", "b"))
        assert keys(replica.held + other.held) == ["a/1"]


async def test_the_story_of_a_lost_read_is_on_record() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"))
        replica.cut()
        await world.settle()
        assert (await story(world, batch_id, "a"))[-1] == "attempt_retrying"
        last = (await events(world, batch_id))[-1]
        assert last.attempt_retrying.failure.reason == "EXECUTOR_LOST"


async def test_one_that_is_left_because_the_engine_stops_is_not_lost() -> None:
    """Else the next start would find a call that failed, and wait for its backoff."""
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"))
        world.engine.stop()
        replica.cut()
        await world.settle()
        (attempt,) = (await world.proposal(f"{batch_id}/a")).attempts
        assert (attempt.failure, attempt.finish_time) == (None, None)
