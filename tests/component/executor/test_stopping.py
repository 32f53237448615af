"""Calls that are stopped: by a timeout, by silence, on request. Slots, and what does not stop."""

import asyncio

import pytest

from greenlight.executor.v1 import executor_pb2 as pb
from tests.support.executor import BATCH, Executor, Peer, call, executor, failure, result
from tests.support.gates import GATES
from tests.support.threads import none_can_be_started


async def test_a_timeout_stops_a_call_and_frees_its_slot():
    async with executor(slots=1) as exe:
        peer = await exe.connect()
        outcome = await peer.run("a", "wait", {"gate": "never"}, timeout=0.02)
        assert failure(outcome) == ("TIMEOUT", "POSSIBLE", "TOOL_TIMEOUT")
        assert outcome.failure.message == "it took longer than 0.02 s"
        assert result(await peer.run("b", "echo", {"value": 1})) == 1


async def test_without_one_in_the_call_the_tools_own_timeout_counts(peer: Peer):
    assert failure(await peer.run("a", "brief", {"gate": "never"})) == ("TIMEOUT", "POSSIBLE", "TOOL_TIMEOUT")


async def test_a_cancelled_call_ends_as_cancelled_and_frees_its_slot():
    async with executor(slots=1) as exe:
        peer = await exe.connect()
        made = call("a", "wait", {"gate": "never"})
        await peer.send(made)
        await peer.until(lambda: peer.all("accepted"))
        await peer.send(cancels=[made.id, "unknown"])
        assert failure(await peer.outcome(made.id)) == ("CANCELLED", "POSSIBLE", "CANCELLED")
        assert result(await peer.run("b", "echo", {"value": 1})) == 1


async def test_a_call_cancelled_before_its_first_step_had_no_effect(exe: Executor, peer: Peer):
    made = call("a", "write", {"text": "x"})
    await peer.send(made, cancels=[made.id])
    outcome = await peer.outcome(made.id)
    assert failure(outcome) == ("CANCELLED", "NONE", "CANCELLED")
    assert not outcome.HasField("start_time")
    assert GATES.runs == []
    assert (exe.service.executor.in_flight, exe.service.executor.stuck) == (0, 0)


async def test_a_call_that_ended_first_keeps_its_outcome(peer: Peer):
    assert result(await peer.run("a", "echo", {"value": 1})) == 1
    await peer.send(cancels=[f"{BATCH}/a/1"])
    assert result(await peer.run("b", "echo", {"value": 2})) == 2
    assert len(peer.outcomes[f"{BATCH}/a/1"]) == 1


@pytest.mark.parametrize("effect", ["NONE", "DONE"])
async def test_a_stopped_tool_may_know_its_effect(peer: Peer, effect: str):
    outcome = await peer.run("a", "knows", {"effect": effect}, timeout=0.02)
    assert failure(outcome) == ("TIMEOUT", effect, "TOOL_TIMEOUT")


async def test_a_result_that_comes_while_it_is_stopped_is_the_result(peer: Peer):
    assert result(await peer.run("a", "late", {"gate": "never"}, timeout=0.02)) == "late"


async def test_silence_stops_a_tool_that_promised_signs_of_life(peer: Peer):
    outcome = await peer.run("a", "silent", {"gate": "never", "signs": 0})
    assert failure(outcome) == ("TIMEOUT", "POSSIBLE", "TOOL_STALLED")


async def test_signs_of_life_keep_it_going(peer: Peer):
    GATES.open("gate")
    assert result(await peer.run("a", "silent", {"gate": "gate", "signs": 10})) == "gate"


async def test_an_obedient_thread_frees_its_slot():
    async with executor(slots=1, threads=1) as exe:
        peer = await exe.connect()
        outcome = await peer.run("a", "wait_on_thread", {"gate": "never", "obey": True}, timeout=0.05)
        assert failure(outcome) == ("TIMEOUT", "POSSIBLE", "TOOL_TIMEOUT")
        assert result(await peer.run("b", "plain", {"value": 1})) == 1
        assert peer.stuck == 0


@pytest.mark.parametrize("tool", ["wait_on_thread", "stubborn"])
async def test_what_does_not_stop_is_counted_and_keeps_its_slot_until_it_ends(tool: str):
    async with executor(slots=2, threads=2) as exe:
        peer = await exe.connect()
        arguments = {"gate": "gate"} | ({"obey": False} if tool == "wait_on_thread" else {})
        made = call("a", tool, arguments)
        await peer.send(made)
        await peer.until(lambda: peer.all("accepted"))
        await peer.send(cancels=[made.id])
        assert failure(await peer.outcome(made.id)) == ("CANCELLED", "POSSIBLE", "CANCELLED")
        await peer.until(lambda: peer.stuck == 1 and peer.slots.total == 1)
        assert (await exe.stub.GetServerInfo(pb.GetServerInfoRequest())).stuck_threads == 1

        await peer.send(call("b", "wait", {"gate": "later"}))
        refused = await peer.run("c", "echo", {"value": 1})
        assert failure(refused) == ("RATE_LIMITED", "NONE", "SLOTS_EXHAUSTED")

        GATES.open("gate")
        await peer.until(lambda: peer.stuck == 0 and peer.slots.total == 2)
        assert result(await peer.run("d", "echo", {"value": 1})) == 1
        GATES.open("later")
        await peer.outcome(f"{BATCH}/b/1")
        assert len(peer.outcomes[made.id]) == 1


async def test_a_call_that_waits_for_a_thread_has_not_started():
    async with executor(threads=1) as exe:
        peer = await exe.connect()
        first = call("a", "wait_on_thread", {"gate": "gate", "obey": False})
        await peer.send(first)
        await peer.until(lambda: peer.all("accepted"))
        waiting = await peer.run("b", "plain", {"value": 1}, timeout=0.05)
        assert failure(waiting) == ("UNAVAILABLE", "NONE", "NOT_STARTED")
        assert waiting.failure.refused
        assert not waiting.HasField("start_time")

        made = call("c", "plain", {"value": 2})
        await peer.send(made)
        await peer.send(cancels=[made.id])
        assert failure(await peer.outcome(made.id)) == ("CANCELLED", "NONE", "CANCELLED")
        GATES.open("gate")
        assert result(await peer.outcome(first.id)) == "gate"
        assert result(await peer.run("d", "plain", {"value": 3})) == 3


async def has_two_threads(peer: Peer) -> None:
    first = call("first of two", "wait_on_thread", {"gate": "later", "obey": False})
    await peer.send(first)
    assert result(await peer.run("second of two", "plain", {"value": 1}, timeout=5)) == 1
    GATES.open("later")
    await peer.outcome(first.id)


async def test_where_no_thread_can_be_started_it_is_refused_and_never_runs():
    async with executor(threads=2) as exe:
        peer = await exe.connect()
        for key in ("a", "b", "c"):
            with none_can_be_started():
                refused = await peer.run(key, "write_on_thread", {"text": key})
            assert failure(refused) == ("UNAVAILABLE", "NONE", "NOT_STARTED")
            assert refused.failure.refused
            assert "can't start new thread" in refused.failure.message
            assert refused.failure.retry_after.ToNanoseconds() == 1_000_000_000
        await has_two_threads(peer)
        assert result(await peer.run("d", "write_on_thread", {"text": "d"})) == "d"
        assert GATES.runs == ["d"]


async def test_where_no_more_threads_can_be_started_it_waits_for_those_that_there_are():
    async with executor(threads=2) as exe:
        peer = await exe.connect()
        first = call("a", "wait_on_thread", {"gate": "gate", "obey": False})
        await peer.send(first)
        await peer.until(lambda: peer.all("accepted"))
        second = call("b", "write_on_thread", {"text": "b"})
        with none_can_be_started():
            await peer.send(second)
            late = await peer.run("c", "write_on_thread", {"text": "c"}, timeout=0.05)
        assert failure(late) == ("UNAVAILABLE", "NONE", "NOT_STARTED")
        assert GATES.runs == []
        GATES.open("gate")
        assert result(await peer.outcome(second.id)) == "b"
        await has_two_threads(peer)
        assert GATES.runs == ["b"]


async def test_the_time_spent_waiting_for_a_thread_is_not_the_tools():
    async with executor(threads=1) as exe:
        peer = await exe.connect()
        first = call("a", "wait_on_thread", {"gate": "gate", "obey": False})
        second = call("b", "plain", {"value": 1})
        await peer.send(first)
        await peer.until(lambda: peer.all("accepted"))
        await peer.send(second)
        await peer.run("c", "echo", {"value": 1})
        GATES.open("gate")
        queued = await peer.outcome(second.id)
        first_run = (await peer.outcome(first.id)).run_duration
        assert queued.queue_duration.ToNanoseconds() > queued.run_duration.ToNanoseconds()
        assert first_run.ToNanoseconds() > queued.run_duration.ToNanoseconds()


async def test_a_drain_waits_for_what_runs_and_takes_no_more():
    async with executor(drain_grace=20) as exe:
        peer = await exe.connect()
        made = call("a", "wait", {"gate": "gate"})
        await peer.send(made)
        await peer.until(lambda: peer.all("accepted"))
        draining = asyncio.ensure_future(exe.service.executor.drain(20))
        await peer.until(lambda: peer.messages[-1].draining)
        assert peer.slots.total == 0
        assert failure(await peer.run("b", "echo", {"value": 1})) == ("UNAVAILABLE", "NONE", "DRAINING")
        again = await exe.connect()
        assert again.first.draining
        GATES.open("gate")
        assert result(await peer.outcome(made.id)) == "gate"
        await draining


async def test_after_the_grace_what_runs_is_stopped(exe: Executor, peer: Peer):
    made = call("a", "wait", {"gate": "never"})
    await peer.send(made)
    await peer.until(lambda: peer.all("accepted"))
    await exe.service.executor.drain(0.01)
    assert failure(await peer.outcome(made.id)) == ("UNAVAILABLE", "POSSIBLE", "EXECUTOR_STOPPED")


async def test_the_status_of_a_drained_stream(exe: Executor, peer: Peer):
    await exe.service.executor.drain(0)
    exe.service.executor.end_streams()
    await peer.until_over()
    assert peer.ended is not None
    assert peer.ended.code().name == "UNAVAILABLE"
    assert peer.ended.details() == "this executor is shutting down"
