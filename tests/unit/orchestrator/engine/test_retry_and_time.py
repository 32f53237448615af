"""Attempts again, and everything that happens when its time has come."""

import pytest

from orchestrator_svc.domain.retry import MAX_REFUSED
from orchestrator_svc.domain.tool import Effect, FailureClass, KnownEffect, RetryPolicy, Tier
from tests.support.engine_world import events, failed, keys, later, ok, spec, started, story
from tests.support.world import CALLER, SECOND, World, running, tool


async def test_it_is_tried_again_after_its_backoff_and_not_before() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a", retry=RetryPolicy(3, SECOND, SECOND)))
        replica.end(replica.held[0], failed(retry_after=7 * SECOND))
        await later(world, 6.9)
        assert replica.held == []
        assert (await world.batch(batch_id)).state.name == "RUNNING"
        await later(world, 0.1)
        assert keys(replica.held) == ["a/2"]
        replica.end(replica.held[0], failed())
        await later(world, 1)
        replica.end(replica.held[0], failed())
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "FAILED"}
        assert [attempt.number for attempt in (await world.proposal(f"{batch_id}/a")).attempts] == [1, 2, 3]
        assert (await story(world, batch_id, "a"))[1:] == [
            "attempt_dispatched", "attempt_retrying", "attempt_dispatched", "attempt_retrying", "attempt_dispatched",
            "proposal_failed",
        ]  # fmt: skip


async def test_a_refusal_takes_none_of_the_attempts() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a", retry=RetryPolicy(1, SECOND, SECOND)))
        for _ in range(5):
            replica.end(replica.held[0], failed(FailureClass.UNAVAILABLE, refused=True))
            await later(world, 1)
        assert keys(replica.held) == ["a/6"]
        replica.end(replica.held[0], ok())
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}


@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_clock_steps_move_nothing(step: float) -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(
            spec("read", "a"), spec("pay", "b", approval_deadline=100 * SECOND), deadline=200 * SECOND
        )
        replica.end(replica.held[0], failed(retry_after=10 * SECOND))
        await world.settle()
        world.clock.step(step)
        await later(world, 9)
        assert replica.held == []
        await later(world, 1)
        assert keys(replica.held) == ["a/2"]
        await later(world, 89)
        assert (await world.states(batch_id))["b"] == "PROPOSED"
        await later(world, 1)
        assert (await world.states(batch_id))["b"] == "EXPIRED"
        await later(world, 99)
        assert (await world.states(batch_id))["a"] == "RUNNING"
        await later(world, 1)
        assert (await world.states(batch_id))["a"] == "CANCELLED"


async def test_without_an_executor_for_it_a_call_fails_in_time() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"), spec("write", "b", "a"), spec("read", "c", "b?"))
        replica.end(replica.held[0], ok())
        await world.settle()
        replica.cut()
        await later(world, 20)
        assert (await world.states(batch_id))["b"] == "APPROVED"
        await later(world, 40)
        await later(world, 40)
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "FAILED", "c": "FAILED"}
        failure = (await world.proposal(f"{batch_id}/b")).failure
        assert failure is not None
        assert (failure.reason, failure.known_effect) == ("QUEUE_TIMEOUT", KnownEffect.NONE)


async def test_the_queue_timeout_counts_only_while_nobody_serves() -> None:
    world = World()
    async with started(world, slots=1) as replica:
        batch_id = await world.run(spec("read", "a"), spec("read", "b"))
        await later(world, 1000)
        assert (await world.states(batch_id)) == {"a": "RUNNING", "b": "APPROVED"}
        replica.release()
        await world.settle()
        assert keys(replica.held) == ["b/1"]


async def test_a_deadline_stands_still_while_blocked() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(
            spec("read", "a"), spec("pay", "b", "a"), spec("read", "c", "b"), deadline=10 * SECOND
        )
        await later(world, 4)
        replica.end(replica.held[0], ok())
        await world.settle()
        assert (await world.batch(batch_id)).state.name == "BLOCKED"
        await later(world, 1000)
        await world.approve(f"{batch_id}/b")
        await later(world, 5)
        assert (await world.states(batch_id))["b"] == "RUNNING"
        await later(world, 1)
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "CANCELLED", "c": "CANCELLED"}


async def test_what_nobody_decides_expires_and_what_needed_it_is_skipped() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("note", "a"), spec("read", "b", "a"), spec("pay", "c"), spec("read", "d", "a?"))
        await later(world, 30 * 60)
        assert (await world.states(batch_id)) == {"a": "EXPIRED", "b": "SKIPPED", "c": "PROPOSED", "d": "RUNNING"}
        replica.release()
        await later(world, 24 * 3600 - 30 * 60)
        assert (await world.states(batch_id))["c"] == "EXPIRED"
        assert (await world.batch(batch_id)).state.name == "PARTIAL"


@pytest.mark.parametrize("name", ["note", "pay"])
async def test_retried_when_it_has_expired_it_has_all_the_time_to_decide_again(name: str) -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec(name, "a", approval_deadline=100 * SECOND), spec("read", "b", "a"))
        await later(world, 100)
        assert (await world.states(batch_id)) == {"a": "EXPIRED", "b": "SKIPPED"}
        await later(world, 1000)
        await world.retry.retry(CALLER, [f"{batch_id}/a"], "", (), "again", None)
        await world.settle()
        again = await world.proposal(f"{batch_id}/a")
        assert (again.state.name, again.asked_time) == ("PROPOSED", world.clock.time_ns())
        assert again.expire_time == world.clock.time_ns() + 100 * SECOND
        await later(world, 99)
        assert (await world.states(batch_id)) == {"a": "PROPOSED", "b": "APPROVED"}
        await later(world, 1)
        assert (await world.states(batch_id)) == {"a": "EXPIRED", "b": "SKIPPED"}
        await world.retry.retry(CALLER, [f"{batch_id}/a"], "", (), "once more", None)
        await world.settle()
        await world.approve(f"{batch_id}/a")
        assert keys(replica.held) == ["a/1"]


@pytest.mark.parametrize("name", ["note", "pay"])
async def test_skipped_no_more_it_has_all_the_time_to_decide_again(name: str) -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"), spec(name, "b", "a", approval_deadline=100 * SECOND))
        await later(world, 60)
        replica.end(replica.held[0], failed(FailureClass.PERMANENT))
        await later(world, 1000)
        assert (await world.states(batch_id)) == {"a": "FAILED", "b": "SKIPPED"}
        await world.retry.retry(CALLER, [f"{batch_id}/a"], "", (), "again", None)
        await world.settle()
        again = await world.proposal(f"{batch_id}/b")
        assert (again.state.name, again.asked_time) == ("PROPOSED", world.clock.time_ns())
        assert again.expire_time == world.clock.time_ns() + 100 * SECOND
        await later(world, 99)
        assert (await world.states(batch_id))["b"] == "PROPOSED"
        await later(world, 1)
        assert (await world.states(batch_id))["b"] == "EXPIRED"


async def test_the_approval_deadline_of_what_refers_starts_when_it_is_asked_for() -> None:
    world = World()
    async with started(world) as replica:
        arguments = '{"x":{"$from":"a"}}'
        batch_id = await world.run(spec("read", "a"), spec("pay", "b", arguments=arguments))
        assert (await world.batch(batch_id)).asked == 0
        await later(world, 48 * 3600)
        replica.end(replica.held[0], ok("5"))
        await later(world, 24 * 3600 - 1)
        assert (await world.states(batch_id))["b"] == "PROPOSED"
        await later(world, 1)
        assert (await world.states(batch_id))["b"] == "EXPIRED"


async def test_an_open_batch_that_idles_is_closed() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"), open=True, idle_timeout=60 * SECOND)
        await later(world, 600)
        replica.release()
        await world.settle()
        assert (await world.batch(batch_id)).state.name == "IDLE"
        await later(world, 59)
        assert (await world.batch(batch_id)).open
        await later(world, 1)
        assert (await world.batch(batch_id)).state.name == "SUCCEEDED"
        assert (await story(world, batch_id))[-2:] == ["batch_closed", "batch_finished"]


async def test_an_empty_open_batch_idles_from_the_start() -> None:
    world = World()
    async with running(world):
        batch_id = await world.run(open=True, idle_timeout=60 * SECOND)
        assert (await world.batch(batch_id)).state.name == "IDLE"
        await later(world, 60)
        assert (await world.batch(batch_id)).state.name == "SUCCEEDED"


async def test_a_retry_by_hand_has_the_whole_policy_again() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a", retry=RetryPolicy(2, SECOND, SECOND)), spec("read", "b", "a"))
        for _ in range(2):
            replica.end(replica.held[0], failed())
            await later(world, 1)
        assert (await world.states(batch_id)) == {"a": "FAILED", "b": "SKIPPED"}
        await world.retry.retry(CALLER, [f"{batch_id}/a"], "", (), "again", None)
        await world.settle()
        assert keys(replica.held) == ["a/3"]
        replica.end(replica.held[0], failed())
        await later(world, 1)
        assert keys(replica.held) == ["a/4"]
        replica.release()
        await world.settle()
        replica.release()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
        assert [event.sequence for event in await events(world, batch_id)]


async def test_refusals_before_a_retry_by_hand_are_history() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a", retry=RetryPolicy(1, SECOND, SECOND)))
        for _ in range(MAX_REFUSED):
            replica.end(replica.held[0], failed(FailureClass.UNAVAILABLE, refused=True))
            await later(world, 1)
        assert (await world.states(batch_id)) == {"a": "FAILED"}
        await world.retry.retry(CALLER, [f"{batch_id}/a"], "", (), "again", None)
        await world.settle()
        for _ in range(MAX_REFUSED - 1):
            replica.end(replica.held[0], failed(FailureClass.UNAVAILABLE, refused=True))
            await later(world, 1)
            assert (await world.states(batch_id)) == {"a": "RUNNING"}
        replica.end(replica.held[0], failed(FailureClass.UNAVAILABLE, refused=True))
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "FAILED"}


async def test_an_upstream_retry_voids_an_approval_of_other_arguments() -> None:
    world = World()
    pay = tool("pay", Effect.NON_IDEMPOTENT)
    async with started(world, (tool("read"), tool("write", Effect.IDEMPOTENT, Tier.AUTO), pay)) as replica:
        arguments = '{"x":{"$from":"a","default":0}}'
        batch_id = await world.run(spec("read", "a"), spec("pay", "b", arguments=arguments), spec("read", "c"))
        replica.end(replica.held[0], failed(FailureClass.PERMANENT))
        await world.settle()
        before = await world.proposal(f"{batch_id}/b")
        assert before.bound_arguments == '{"x":0}'
        await world.retry.retry(CALLER, [f"{batch_id}/a"], "", (), "again", None)
        await world.settle()
        assert (await world.batch(batch_id)).asked == 0, "nothing is asked while it waits again"
        replica.end(next(call for call in replica.held if "/a/" in call), ok("5"))
        await world.settle()
        after = await world.proposal(f"{batch_id}/b")
        assert after.bound_arguments == '{"x":5}'
        assert after.revision > before.revision
        stale = await world.approve(f"{batch_id}/b", digest=before.bound_digest)
        assert stale.reason == "DIGEST_MISMATCH"
        await world.approve(f"{batch_id}/b")
        assert [call.arguments for call in replica.received if call.tool == pay.key] == ['{"x":5}']
