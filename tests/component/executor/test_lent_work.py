"""What an async tool gives to the loop's threads is its call's, which is not over before: unless it has its result."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from greenlight.executor.v1 import executor_pb2 as pb
from shared.kernel.errors import GreenlightError
from tests.support.executor import Executor, Peer, call, executor, failure, origin, result
from tests.support.gates import GATES
from tests.support.toolboxes import lending

TOOLBOX = "tests.support.toolboxes.lending"
FOUND, NOT_FOUND = pb.PROBE_STATE_FOUND, pb.PROBE_STATE_NOT_FOUND
BRIEF = 0.05


@pytest.fixture(autouse=True)
def ledger(gates: None) -> None:
    lending.LEDGER.clear()


@pytest.fixture
async def exe() -> AsyncIterator[Executor]:
    async with executor(TOOLBOX) as running:
        yield running
    GATES.open("gate")  # or the loop would wait for its threads at its end


async def begun(peer: Peer, key: str, gate: str = "gate", tool: str = "pay", **given: object) -> pb.Call:
    """A call, once its work has begun."""
    made = call(key, tool, {"gate": gate} | ({"amount": 5, **given} if tool == "pay" else {}))
    await peer.send(made)
    await GATES.reached(f"{gate} started")
    return made


async def look(peer: Peer, made: pb.Call, *sent_to: str, position: int = 0) -> pb.ProbeAnswer:
    before = len(peer.all("probe_answers"))
    places = [pb.SentTo(boot_id=boot_id, journal_position=position) for boot_id in sent_to]
    await peer.send(probes=pb.CallFrame(origins=[origin()], calls=[made]), probes_sent_to=places)
    await peer.until(lambda: len(peer.all("probe_answers")) > before)
    return peer.all("probe_answers")[-1]


async def is_at_work_until_the_gate_opens(exe: Executor, peer: Peer, made: pb.Call, *reported: str) -> None:
    outcome = await peer.outcome(made.id)
    assert failure(outcome) == reported
    assert outcome.still_running
    await peer.until(lambda: peer.stuck == 1)
    answer = await look(peer, made)
    assert (answer.state, answer.still_running) == (NOT_FOUND, True)
    GATES.open("gate")
    await peer.until(lambda: peer.stuck == 0)
    answer = await look(peer, made)
    assert (answer.state, answer.result_json, answer.still_running) == (FOUND, "5", False)
    await peer.attach(made.id, exe.boot_id)
    assert not (await peer.outcome(made.id, 2)).still_running


@pytest.mark.parametrize("how", ["to_thread", "run_in_executor"])
async def test_timed_out_it_is_not_over(exe: Executor, peer: Peer, how: str):
    made = call("a", "pay", {"amount": 5, "how": how}, timeout=BRIEF)
    await peer.send(made)
    await is_at_work_until_the_gate_opens(exe, peer, made, "TIMEOUT", "POSSIBLE", "TOOL_TIMEOUT")


async def test_cancelled_it_is_not_over(exe: Executor, peer: Peer):
    made = await begun(peer, "a")
    await peer.send(cancels=[made.id])
    await is_at_work_until_the_gate_opens(exe, peer, made, "CANCELLED", "POSSIBLE", "CANCELLED")


@pytest.mark.parametrize("how", ["gives up", "leaves it"])
async def test_where_the_tool_does_not_wait_for_it_the_failure_is_the_tools(exe: Executor, peer: Peer, how: str):
    made = await begun(peer, "a", how=how)
    await is_at_work_until_the_gate_opens(exe, peer, made, "TRANSIENT", "POSSIBLE", "TOOL_RAISED")


async def test_a_tool_that_goes_on_after_it_was_stopped_is_over_with_the_last_of_both(exe: Executor, peer: Peer):
    made = await begun(peer, "a", how="does not stop")
    await peer.send(cancels=[made.id])
    assert (await peer.outcome(made.id)).still_running
    await peer.until(lambda: peer.stuck == 1)
    GATES.open("later")
    assert result(await peer.run("b", "ask", {"gate": "later"})) == 1
    assert (await look(peer, made)).still_running
    GATES.open("gate")
    await peer.until(lambda: peer.stuck == 0)
    assert len(peer.outcomes[made.id]) == 1


@pytest.mark.parametrize(
    ("how", "ending"), [("leaves it, and returns", "result_json"), ("knows", "failure")], ids=["a result", "no effect"]
)
async def test_what_the_tool_knows_stands_at_once(exe: Executor, peer: Peer, how: str, ending: str):
    made = await begun(peer, "a", how=how)
    outcome = await peer.outcome(made.id)
    assert (outcome.WhichOneof("ending"), outcome.still_running) == (ending, False)
    assert (exe.service.executor.in_flight, exe.service.executor.stuck) == (0, 0)


async def test_what_ends_within_the_grace_is_over():
    async with executor(TOOLBOX, stop_grace=20) as exe:
        peer = await exe.connect()
        made = await begun(peer, "a")
        await peer.send(cancels=[made.id])
        GATES.open("later")
        assert result(await peer.run("b", "ask", {"gate": "later"})) == 1
        assert not peer.outcomes[made.id]
        GATES.open("gate")
        outcome = await peer.outcome(made.id)
        assert failure(outcome) == ("CANCELLED", "POSSIBLE", "CANCELLED")
        assert not outcome.still_running
        assert exe.service.executor.stuck == 0


async def test_what_waits_for_a_thread_is_taken_back():
    async with executor(TOOLBOX, threads=1) as exe:
        peer = await exe.connect()
        first = await begun(peer, "a")
        waiting = await peer.run("b", "pay", {"amount": 6}, timeout=BRIEF)
        assert failure(waiting) == ("TIMEOUT", "POSSIBLE", "TOOL_TIMEOUT")
        assert not waiting.still_running
        GATES.open("gate")
        assert result(await peer.outcome(first.id)) == 5
        assert result(await peer.run("c", "ask")) == 1
        assert GATES.runs == ["key of a", "key of c"]


async def test_what_waits_for_a_thread_and_is_not_awaited_is_waited_for():
    async with executor(TOOLBOX, threads=1) as exe:
        peer = await exe.connect()
        first = await begun(peer, "a")
        left = await peer.run("b", "pay", {"amount": 6, "how": "leaves it"})
        assert left.still_running
        GATES.open("gate")
        assert result(await peer.outcome(first.id)) == 5
        await peer.until(lambda: peer.stuck == 0)
        assert lending.LEDGER["key of b"] == [6]


async def test_what_no_thread_could_be_started_for_never_begins():
    async with executor(TOOLBOX, threads=2) as exe:
        peer = await exe.connect()
        first = await begun(peer, "a")
        refused = await peer.run("b", "pay", {"amount": 6, "how": "no thread"})
        assert failure(refused) == ("TRANSIENT", "POSSIBLE", "TOOL_RAISED")
        assert "can't start new thread" in refused.failure.message
        assert not refused.still_running
        GATES.open("gate")
        assert result(await peer.outcome(first.id)) == 5
        assert result(await peer.run("c", "ask")) == 1
        assert GATES.runs == ["key of a", "key of c"]


async def test_where_no_thread_could_be_started_others_are_once_they_can():
    async with executor(TOOLBOX, threads=2) as exe:
        peer = await exe.connect()
        first = await begun(peer, "a")
        await peer.run("b", "pay", {"amount": 6, "how": "no thread"})
        GATES.open("gate")
        assert result(await peer.outcome(first.id)) == 5
        await begun(peer, "c", "later")
        assert result(await peer.run("d", "ask", timeout=5)) == 1
        GATES.open("later")


async def test_the_service_has_threads_of_its_own():
    """Or it could not close its journal while tools hold all of theirs."""
    async with executor(TOOLBOX, threads=1) as exe:
        peer = await exe.connect()
        await begun(peer, "a", tool="ask")
    assert exe.service.executor.stuck == 1
    GATES.open("gate")


async def test_it_keeps_its_slot():
    async with executor(TOOLBOX, slots=1) as exe:
        peer = await exe.connect()
        made = await begun(peer, "a")
        await peer.send(cancels=[made.id])
        await peer.until(lambda: peer.stuck == 1 and peer.slots.total == 0)
        GATES.open("gate")
        await peer.until(lambda: peer.stuck == 0 and peer.slots.total == 1)


async def test_as_long_as_it_goes_on_nobody_else_answers_for_it(tmp_path: Path):
    async with executor(TOOLBOX, data=tmp_path) as exe:
        await begun(await exe.connect(), "a")
    with pytest.raises(GreenlightError, match="JOURNAL_LOCKED"):
        async with executor(TOOLBOX, data=tmp_path):
            pass
    GATES.open("gate")


async def test_nobody_says_that_a_call_of_a_copied_journal_is_over(tmp_path: Path):
    async with executor(TOOLBOX, data=tmp_path / "first") as exe:
        earlier = exe.boot_id
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    async with executor(TOOLBOX, data=tmp_path / "first") as exe:
        peer, made = await exe.connect(), call("a", "pay", {"gate": "gate", "amount": 5})
        assert (await look(peer, made, earlier)).over
        assert not (await look(peer, made, earlier, position=1)).over
        assert not (await look(peer, made)).over, "nobody says where it was sent"
    async with executor(TOOLBOX, data=tmp_path / "copy") as copy:
        assert copy.service.executor.identity.executor_id == exe.service.executor.identity.executor_id
        peer = await copy.connect()
        for boot_id in (earlier, exe.boot_id):
            assert not (await look(peer, made, boot_id)).over
        assert (await look(peer, made, copy.boot_id)).over
