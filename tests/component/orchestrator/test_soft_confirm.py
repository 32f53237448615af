"""The user's next turn: confirms what was shown, rejects what is objected to, and can be attached to again."""

import uuid
from typing import Any

import pytest
from google.protobuf import duration_pb2

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from tests.support.gates import GATES
from tests.support.refusals import item_refusal, refusal
from tests.support.services import Received, Services, call, read, services, states


def _confirm(pair: Services, **fields: Any) -> Any:
    return pair.stub.SoftConfirm(pb.SoftConfirmRequest(session_id="talk", **fields))


async def _turn(pair: Services, **fields: Any) -> tuple[pb.SoftConfirmation, Received]:
    received = await read(_confirm(pair, **fields))
    assert received.confirmation is not None
    return received.confirmation, received


async def test_everything_pending_in_the_session_whatever_its_batch(pair: Services):
    one = await pair.submit(call("note", "a"), call("publish", "b"), call("echo", "e", after=["a"]), session_id="talk")
    two = await pair.submit(call("failing_note", "c"), call("note", "d"), session_id="talk")
    await pair.submit(call("note", "x"), session_id="elsewhere")
    confirmation, received = await _turn(pair, all=True, until=pb.UNTIL_BLOCKED)
    assert list(confirmation.confirmed) == [f"{one.batch_id}/a", f"{two.batch_id}/c", f"{two.batch_id}/d"]
    assert states(received.summary.answers) == {"a": "SUCCEEDED", "c": "FAILED", "d": "SUCCEEDED"}
    assert [answer.batch_id for answer in received.summary.answers] == [one.batch_id, two.batch_id, two.batch_id]
    assert [batch.batch_id for batch in received.summary.batches] == [one.batch_id, two.batch_id]
    assert received.details("a")[0] == "proposal_decided"
    assert all(frame.sequence == 0 for frame in received.frames)
    assert (await pair.proposal(one.batch_id, "a")).decisions[0].soft_confirmed


async def test_objections(pair: Services):
    held = await pair.submit(call("note", "a"), call("note", "b"), session_id="talk")
    objection = pb.Objection(proposal_id=f"{held.batch_id}/b", message="rather not")
    confirmation, received = await _turn(pair, all=True, objections=[objection])
    assert (list(confirmation.confirmed), list(confirmation.objected)) == (
        [f"{held.batch_id}/a"],
        [f"{held.batch_id}/b"],
    )
    assert states(received.summary.answers) == {"a": "SUCCEEDED", "b": "REJECTED"}
    assert received.summary.answers[1].message == "rather not"


async def test_only_what_was_shown(pair: Services):
    one = await pair.submit(call("note", "a"), session_id="talk", open=True)
    shown = await read(
        pair.stub.WatchSession(pb.WatchSessionRequest(session_id="talk")),
        lambda got: "decision_requested" in got.details("a"),
    )
    token = shown.frames[-1].session_token
    await pair.stub.AddProposals(pb.AddProposalsRequest(batch_id=one.batch_id, proposals=[call("note", "b")]))
    two = await pair.submit(call("note", "c"), session_id="talk")
    confirmation, _ = await _turn(pair, shown_through=token, until=pb.UNTIL_BLOCKED)
    assert list(confirmation.confirmed) == [f"{one.batch_id}/a"]
    assert list(confirmation.not_shown) == [f"{one.batch_id}/b", f"{two.batch_id}/c"]
    assert (await pair.summary(two.batch_id)).batch.counts.proposed == 1


async def test_what_was_shown_of_another_session_is_not_shown(pair: Services):
    await pair.submit(call("note", "a"), session_id="elsewhere")
    request = pb.WatchSessionRequest(session_id="elsewhere", until=pb.UNTIL_BLOCKED)
    token = (await read(pair.stub.WatchSession(request))).frames[-1].session_token
    held = await pair.submit(call("note", "a"), session_id="talk")
    refused = await refusal(_confirm(pair, shown_through=token))
    assert refused.short == ("INVALID_ARGUMENT", "SESSION_TOKEN_INVALID")
    assert (await pair.summary(held.batch_id)).batch.counts.proposed == 1


async def test_an_objection_to_what_is_elsewhere_confirms_nothing(pair: Services):
    """It may be a slip of the key: what was meant must not run."""
    held = await pair.submit(call("note", "a"), session_id="talk")
    other = await pair.submit(call("note", "a"), session_id="elsewhere")
    for name in (f"{held.batch_id}/A", f"{other.batch_id}/a"):
        refused = await refusal(_confirm(pair, all=True, objections=[pb.Objection(proposal_id=name)]))
        assert refused.short == ("INVALID_ARGUMENT", "REQUEST_INVALID")
    assert (await pair.summary(held.batch_id)).batch.counts.proposed == 1


async def test_an_objection_to_a_hard_one_is_not_dropped_in_silence(pair: Services):
    held = await pair.submit(call("note", "a"), call("publish", "hard"), session_id="talk")
    objection = pb.Objection(proposal_id=f"{held.batch_id}/hard", message="rather not")
    refused = await refusal(_confirm(pair, all=True, objections=[objection]))
    assert refused.short == ("INVALID_ARGUMENT", "REQUEST_INVALID")
    assert (await pair.summary(held.batch_id)).batch.counts.proposed == 2


async def test_an_objection_that_comes_too_late_is_told(pair: Services):
    held = await pair.submit(call("note", "a"), call("note", "b"), call("note", "c"), session_id="talk")
    for key, verdict in (("a", proposal_pb2.VERDICT_APPROVE), ("b", proposal_pb2.VERDICT_REJECT)):
        decision = pb.Decision(proposal_id=f"{held.batch_id}/{key}", verdict=verdict)
        await pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[decision]))
    await pair.until_state(held.batch_id, "a", proposal_pb2.PROPOSAL_STATE_SUCCEEDED)
    objections = [pb.Objection(proposal_id=f"{held.batch_id}/{key}", message="no") for key in "ab"]
    request_id = str(uuid.uuid4())
    for _ in range(2):
        confirmation, received = await _turn(pair, all=True, objections=objections, request_id=request_id)
        assert (list(confirmation.confirmed), list(confirmation.objected)) == ([f"{held.batch_id}/c"], [])
        assert [(each.proposal_id, item_refusal(each.status)[1]) for each in confirmation.not_pending] == [
            (f"{held.batch_id}/a", "PROPOSAL_NOT_PENDING"),
            (f"{held.batch_id}/b", "PROPOSAL_NOT_PENDING"),
        ]
        assert [each.state for each in confirmation.not_pending] == [
            proposal_pb2.PROPOSAL_STATE_SUCCEEDED,
            proposal_pb2.PROPOSAL_STATE_REJECTED,
        ]
        assert states(received.summary.answers) == {"c": "SUCCEEDED"}


async def test_only_some_agents(pair: Services):
    held = await pair.submit(call("note", "a", agent="red"), call("note", "b", agent="blue"), session_id="talk")
    confirmation, _ = await _turn(pair, all=True, agents=["blue"], until=pb.UNTIL_BLOCKED)
    assert list(confirmation.confirmed) == [f"{held.batch_id}/b"]
    assert (await pair.summary(held.batch_id)).batch.counts.proposed == 1


async def test_the_same_turn_attaches_again_and_confirms_nothing_more(pair: Services):
    one = await pair.submit(call("note", "a"), call("wait", "w", {"gate": "gate"}), session_id="talk")
    request_id = str(uuid.uuid4())
    stream = _confirm(pair, all=True, request_id=request_id)
    first = await read(stream, lambda got: "proposal_succeeded" in got.details("a"))
    stream.cancel()
    two = await pair.submit(call("note", "later"), session_id="talk")
    GATES.open("gate")
    confirmation, again = await _turn(pair, all=True, request_id=request_id)
    assert confirmation == first.confirmation
    assert list(confirmation.confirmed) == [f"{one.batch_id}/a"]
    assert again.events[: len(first.events)] == first.events
    assert states(again.summary.answers) == {"a": "SUCCEEDED"}
    assert (await pair.summary(two.batch_id)).batch.counts.proposed == 1
    assert GATES.runs == ["note "]


async def test_the_same_turn_with_another_payload(pair: Services):
    await pair.submit(call("note", "a"), session_id="talk")
    request_id = str(uuid.uuid4())
    await _turn(pair, all=True, request_id=request_id)
    assert (await refusal(_confirm(pair, all=True, agents=["x"], request_id=request_id))).reason == "REQUEST_ID_REUSED"


async def test_nothing_to_confirm(pair: Services):
    await pair.run(call("echo"), session_id="talk")
    confirmation, received = await _turn(pair, all=True)
    assert confirmation == pb.SoftConfirmation()
    assert (received.events, len(received.summary.answers)) == ([], 0)


async def test_the_window_has_passed(tmp_path: Any):
    async with services(tmp_path, soft_window=0.000_001) as pair:
        held = await pair.submit(call("note", "a"), session_id="talk")
        confirmation, _ = await _turn(pair, all=True)
        assert list(confirmation.window_passed) == [f"{held.batch_id}/a"]
        assert (await pair.summary(held.batch_id)).batch.counts.proposed == 1


async def test_expired_before_the_turn(tmp_path: Any):
    async with services(tmp_path) as pair:
        soon = duration_pb2.Duration(nanos=50_000_000)
        held = await pair.submit(call("note", "a", approval_deadline=soon), session_id="talk")
        await pair.summary(held.batch_id, pb.UNTIL_FINISHED)
        confirmation, _ = await _turn(pair, all=True)
        assert list(confirmation.expired) == [f"{held.batch_id}/a"]
        assert not confirmation.confirmed


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({}, "SHOWN_REQUIRED", "scope"),
        ({"all": False}, "SHOWN_REQUIRED", "scope"),
        ({"shown_through": "nonsense"}, "SESSION_TOKEN_INVALID", "shown_through"),
        ({"all": True, "until": 9}, "REQUEST_INVALID", "until"),
        (
            {"all": True, "objections": [pb.Objection(proposal_id="a/b")] * 2},
            "REQUEST_INVALID",
            "objections[1].proposal_id",
        ),
        (
            {"all": True, "objections": [pb.Objection(proposal_id="a/b")]},
            "REQUEST_INVALID",
            "objections[0].proposal_id",
        ),
    ],
)
async def test_turns_that_are_wrong(pair: Services, fields: dict[str, Any], reason: str, field: str):
    held = await pair.submit(call("note", "a"), session_id="talk")
    refused = await refusal(_confirm(pair, **fields))
    assert refused.short == ("INVALID_ARGUMENT", reason)
    assert list(refused.fields) == [field]
    assert (await pair.summary(held.batch_id)).batch.counts.proposed == 1
