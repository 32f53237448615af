"""A call id: runs once, is answered as often as asked, is never used with other arguments, can be asked for later."""

import pytest

from greenlight.executor.v1 import executor_pb2 as pb
from tests.support.executor import BATCH, Executor, Peer, call, executor, failure, origin, result
from tests.support.gates import GATES

RUNNING, ENDED = pb.ATTACH_STATE_RUNNING, pb.ATTACH_STATE_ENDED
NEVER_SEEN, CANNOT_SAY = pb.ATTACH_STATE_NEVER_SEEN, pb.ATTACH_STATE_CANNOT_SAY


def token(epoch: int, incarnation_id: str) -> pb.FencingToken:
    return pb.FencingToken(epoch=epoch, incarnation_id=incarnation_id)


def states(peer: Peer) -> list[tuple[str, int]]:
    return [(answer.call_id, answer.state) for answer in peer.all("attach_answers")]


async def test_twice_in_a_frame_runs_once_and_is_answered_twice(peer: Peer):
    made = call("a", "write", {"text": "once"})
    await peer.send(made, made)
    await peer.outcome(made.id, count=2)
    assert [result(outcome) for outcome in peer.outcomes[made.id]] == ["once", "once"]
    assert GATES.runs == ["once"]


async def test_again_after_it_ended_and_after_it_was_acknowledged(peer: Peer):
    made = call("a", "write", {"text": "once"})
    await peer.send(made)
    await peer.outcome(made.id)
    await peer.send(made)
    await peer.outcome(made.id, count=2)
    await peer.send(acknowledgements=[made.id, made.id])
    await peer.send(made)
    assert result(await peer.outcome(made.id, count=3)) == "once"
    assert GATES.runs == ["once"]


async def test_on_another_stream_while_it_runs_both_are_answered(exe: Executor, peer: Peer):
    other = await exe.connect()
    made = call("a", "wait", {"gate": "gate"})
    await peer.send(made)
    await peer.until(lambda: peer.all("accepted"))
    await other.send(made)
    await other.run("b", "echo", {"value": 1})
    GATES.open("gate")
    assert result(await peer.outcome(made.id)) == result(await other.outcome(made.id)) == "gate"


@pytest.mark.parametrize("when", ["while it runs", "when it has ended"])
async def test_with_other_arguments_it_is_refused(peer: Peer, when: str):
    made = call("a", "wait", {"gate": "gate"})
    await peer.send(made)
    if when == "while it runs":
        await peer.until(lambda: peer.all("accepted"))
    else:
        GATES.open("gate")
        await peer.outcome(made.id)
    count = len(peer.outcomes[made.id])
    await peer.send(call("a", "wait", {"gate": "other"}))
    refused = await peer.outcome(made.id, count=count + 1)
    assert failure(refused) == ("PERMANENT", "NONE", "CALL_ID_REUSED")
    assert refused.failure.refused
    GATES.open("gate")


async def test_a_refused_call_was_never_run_so_its_id_may_come_again(peer: Peer):
    wrong = call("a", "write", {"text": "x"}, digest="sha256:" + "0" * 64)
    await peer.send(wrong)
    assert failure(await peer.outcome(wrong.id))[2] == "DIGEST_MISMATCH"
    await peer.send(call("a", "write", {"text": "x"}))
    assert result(await peer.outcome(wrong.id, count=2)) == "x"


async def test_a_call_that_runs_is_attached_to_the_stream_that_asks(exe: Executor, peer: Peer):
    made = call("a", "wait", {"gate": "gate"})
    await peer.send(made)
    await peer.until(lambda: peer.all("accepted"))
    await peer.end()
    other = await exe.connect()
    await other.attach(made.id, exe.boot_id)
    await other.until(lambda: states(other) == [(made.id, RUNNING)])
    GATES.open("gate")
    assert result(await other.outcome(made.id)) == "gate"


async def test_attached_elsewhere_it_is_no_longer_answered_where_it_came_from(exe: Executor, peer: Peer):
    made = call("a", "wait", {"gate": "gate"})
    await peer.send(made)
    await peer.until(lambda: peer.all("accepted"))
    other = await exe.connect()
    await other.attach(made.id, exe.boot_id)
    await other.until(lambda: states(other))
    GATES.open("gate")
    await other.outcome(made.id)
    await peer.run("b", "echo", {"value": 1})
    assert made.id not in [outcome.call_id for outcome in peer.all("outcomes")]


async def test_a_later_owner_of_the_batch_keeps_what_it_has_attached_to(exe: Executor, peer: Peer):
    """What the earlier one still says comes late: it is answered, and moves and stops nothing."""
    made, earlier, later = call("a", "wait", {"gate": "gate"}), token(1, "one"), token(2, "other")
    await peer.send(made, origins=[origin(fencing_token=earlier)])
    await peer.until(lambda: peer.all("accepted"))
    other = await exe.connect()
    await other.attach(made.id, exe.boot_id, later)
    await other.until(lambda: states(other) == [(made.id, RUNNING)])
    await peer.send(cancels=[made.id], cancel_tokens=[earlier])
    await peer.send(made, origins=[origin(fencing_token=earlier)])
    assert failure(await peer.outcome(made.id)) == ("UNAVAILABLE", "POSSIBLE", "OWNER_SUPERSEDED")
    await peer.attach(made.id, exe.boot_id, earlier)
    await peer.until(lambda: states(peer) == [(made.id, CANNOT_SAY)])
    GATES.open("gate")
    assert result(await other.outcome(made.id)) == "gate"
    await peer.run("b", "echo", {"value": 1})
    assert len(peer.outcomes[made.id]) == 1


async def test_a_cancel_without_a_token_stops_it_whosever_it_is(exe: Executor, peer: Peer):
    made, other = call("a", "wait", {"gate": "gate"}), call("b", "wait", {"gate": "gate"})
    await peer.send(made, other, origins=[origin(fencing_token=token(2, "other"))])
    await peer.until(lambda: len(peer.all("accepted")) == 2)
    await peer.send(cancels=[other.id, made.id], cancel_tokens=[token(1, "one")])
    assert failure(await peer.outcome(made.id))[2] == "CANCELLED"
    GATES.open("gate")
    assert result(await peer.outcome(other.id)) == "gate"


async def test_a_stream_that_ends_cancels_no_call_and_its_outcome_is_kept(exe: Executor, peer: Peer):
    made = call("a", "wait", {"gate": "gate"})
    await peer.send(made)
    await peer.until(lambda: peer.all("accepted"))
    await peer.end()
    GATES.open("gate")
    other = await exe.connect()
    await exe.service.executor.unused([exe.service.executor.pick("wait", "").tool])
    await other.attach(made.id, exe.boot_id)
    assert result(await other.outcome(made.id)) == "gate"
    assert states(other) == [(made.id, ENDED)]


async def test_what_was_never_seen_never_runs(exe: Executor, peer: Peer):
    made = call("a", "write", {"text": "late"})
    await peer.attach(made.id, exe.boot_id)
    await peer.until(lambda: states(peer) == [(made.id, NEVER_SEEN)])
    await peer.send(made)
    refused = await peer.outcome(made.id)
    assert failure(refused) == ("PERMANENT", "NONE", "CALL_FENCED")
    assert GATES.runs == []
    await peer.attach(made.id, exe.boot_id)
    await peer.until(lambda: states(peer)[1:] == [(made.id, NEVER_SEEN)])


@pytest.mark.parametrize("boot", ["", "another start"])
async def test_of_another_start_nothing_can_be_said(exe: Executor, peer: Peer, boot: str):
    made = call("a", "write", {"text": "now"})
    await peer.attach(made.id, boot)
    await peer.until(lambda: states(peer) == [(made.id, CANNOT_SAY)])
    await peer.send(made)
    assert result(await peer.outcome(made.id)) == "now"


async def test_acknowledged_calls_are_forgotten_after_a_time_and_no_sooner():
    async with executor(outcome_retention=0.05) as exe:
        peer = await exe.connect()
        first, second = call("a", "echo", {"value": 1}), call("b", "echo", {"value": 2})
        await peer.send(first, second)
        await peer.outcome(first.id)
        await peer.outcome(second.id)
        await peer.send(acknowledgements=[first.id])
        for number in range(1000):
            await peer.run(f"other {number}", "echo", {"value": 1})
            await peer.attach(first.id, exe.boot_id)
            await peer.until(lambda number=number: len(states(peer)) == number + 1)
            if states(peer)[-1][1] == NEVER_SEEN:
                break
        assert states(peer)[0] == (first.id, ENDED)
        assert states(peer)[-1] == (first.id, NEVER_SEEN)
        await peer.attach(second.id, exe.boot_id)
        await peer.until(lambda: states(peer)[-1] == (second.id, ENDED))


async def test_too_many_unacknowledged_outcomes_refuse_new_calls_until_acknowledged():
    async with executor(max_unacknowledged_calls=2) as exe:
        peer = await exe.connect()
        for key in ("a", "b"):
            await peer.run(key, "write", {"text": key})
        refused = await peer.run("c", "write", {"text": "c"})
        assert failure(refused) == ("RATE_LIMITED", "NONE", "OUTCOMES_UNACKNOWLEDGED")
        assert refused.failure.HasField("retry_after")
        await peer.send(acknowledgements=[f"{BATCH}/a/1"])
        assert result(await peer.run("d", "write", {"text": "d"})) == "d"
        assert GATES.runs == ["a", "b", "d"]


async def test_what_nobody_acknowledges_is_said_again_to_others_until_somebody_does():
    async with executor(reminder_after=0.05) as exe:
        gone = await exe.connect()
        made = call("a", "echo", {"value": 1})
        await gone.send(made)
        told = await gone.outcome(made.id)
        await gone.end()
        peer = await exe.connect()
        await peer.until(lambda: len(peer.all("reminders")) == 2)
        first, second = peer.all("reminders")
        assert (first.tenant, first.outcome) == ("acme", told)
        assert second == first
        await peer.send(acknowledgements=[made.id])
        other = await peer.run("b", "echo", {"value": 2})
        await peer.until(lambda: peer.all("reminders")[-1].outcome == other)
        count = len(peer.all("reminders"))
        await peer.until(lambda: len(peer.all("reminders")) > count + 3)
        assert {reminder.outcome.call_id for reminder in peer.all("reminders")[count:]} == {other.call_id}
