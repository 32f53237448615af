"""Cancelling, retrying and resolving."""

import uuid
from typing import Any

import pytest

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from tests.support.gates import GATES
from tests.support.refusals import item_refusal, refusal
from tests.support.services import Services, call, state_of, states

RUNNING = proposal_pb2.PROPOSAL_STATE_RUNNING
LONE = r'"\ud800"'
SUCCEEDED, FAILED = event_pb2.RESOLUTION_SUCCEEDED, event_pb2.RESOLUTION_FAILED


def _items(answer: Any) -> list[tuple[str, str]]:
    return [item_refusal(item.status) for item in answer.answers]


async def test_a_running_batch_is_cancelled(pair: Services):
    held = await pair.submit(
        call("wait", "a", {"gate": "gate"}), call("note", "b"), call("echo", "c", after=["a"]), call("echo", "d")
    )
    await GATES.reached("gate started")
    answer = await pair.stub.CancelBatch(pb.CancelBatchRequest(batch_id=held.batch_id, reason="enough"))
    assert state_of(answer.batch) in ("CANCELLING", "PARTIAL")
    summary = await pair.summary(held.batch_id, pb.UNTIL_FINISHED)
    assert states(summary.answers) == {"a": "CANCELLED", "b": "CANCELLED", "c": "CANCELLED", "d": "SUCCEEDED"}
    assert summary.answers[0].message == "enough"
    again = await pair.stub.CancelBatch(pb.CancelBatchRequest(batch_id=held.batch_id))
    assert again.batch == summary.batch


async def test_single_proposals_are_cancelled(pair: Services):
    held = await pair.submit(call("wait", "a", {"gate": "gate"}), call("note", "b"), call("echo", "c"))
    await GATES.reached("gate started")
    await pair.until_state(held.batch_id, "c", proposal_pb2.PROPOSAL_STATE_SUCCEEDED)
    names = [f"{held.batch_id}/{key}" for key in "abcz"]
    answer = await pair.stub.CancelProposals(pb.CancelProposalsRequest(proposal_ids=names, reason="no"))
    assert _items(answer) == [
        ("OK", ""),
        ("OK", ""),
        ("FAILED_PRECONDITION", "PROPOSAL_ENDED"),
        ("NOT_FOUND", "PROPOSAL_UNKNOWN"),
    ]
    summary = await pair.summary(held.batch_id, pb.UNTIL_FINISHED)
    assert states(summary.answers) == {"a": "CANCELLED", "b": "CANCELLED", "c": "SUCCEEDED"}
    assert (await pair.proposal(held.batch_id, "b")).last_operator == "user:anonymous"


async def test_cancelling_again_by_the_same_request(pair: Services):
    held = await pair.submit(call("note", "b"))
    request = pb.CancelProposalsRequest(proposal_ids=[f"{held.batch_id}/b"], request_id=str(uuid.uuid4()))
    first = await pair.stub.CancelProposals(request)
    assert await pair.stub.CancelProposals(request) == first
    request.reason = "another"
    assert (await refusal(pair.stub.CancelProposals(request))).reason == "REQUEST_ID_REUSED"


async def test_retried_and_unskipped(pair: Services):
    summary = await pair.run(call("failing", "a", {"until": "mended"}), call("echo", "b", after=["a"]))
    assert states(summary.answers) == {"a": "FAILED", "b": "SKIPPED"}
    GATES.runs.append("mended")
    batch_id = summary.batch.batch_id
    request = pb.RetryProposalsRequest(proposal_ids=[f"{batch_id}/a", f"{batch_id}/b"], reason="mended")
    assert _items(await pair.stub.RetryProposals(request)) == [("OK", ""), ("FAILED_PRECONDITION", "NOT_RETRYABLE")]
    summary = await pair.summary(batch_id, pb.UNTIL_FINISHED)
    assert states(summary.answers) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
    proposal = await pair.proposal(batch_id, "a")
    assert [attempt.number for attempt in proposal.attempts] == [1, 2]
    assert proposal.last_operator_reason == "mended"


async def test_a_batch_or_an_agents_part_of_it_is_retried(pair: Services):
    summary = await pair.run(
        call("failing", "a", {"until": "mended"}, agent="red"),
        call("failing", "b", {"until": "mended"}, agent="blue"),
        call("echo", "c", agent="blue"),
    )
    GATES.runs.append("mended")
    batch_id = summary.batch.batch_id
    answer = await pair.stub.RetryProposals(pb.RetryProposalsRequest(batch_id=batch_id, agents=["blue"]))
    assert [item.proposal_id for item in answer.answers] == [f"{batch_id}/b"]
    assert states((await pair.summary(batch_id)).answers) == {"a": "FAILED", "b": "SUCCEEDED", "c": "SUCCEEDED"}
    rest = await pair.stub.RetryProposals(pb.RetryProposalsRequest(batch_id=batch_id))
    assert [item.proposal_id for item in rest.answers] == [f"{batch_id}/a"]
    assert state_of((await pair.summary(batch_id)).batch) == "SUCCEEDED"


async def test_a_batch_goes_on_with_all_that_can(pair: Services):
    held = await pair.submit(
        call("failing", "a", {"until": "mended"}),
        call("echo", "b", {"value": {"$from": "a"}}),
        call("doubtful", "c"),
        call("note", "d"),
        call("echo", "e", after=["d"]),
        call("echo", "f"),
    )
    batch_id = held.batch_id
    await pair.summary(batch_id)
    rejection = pb.Decision(proposal_id=f"{batch_id}/d", verdict=proposal_pb2.VERDICT_REJECT)
    await pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[rejection]))
    GATES.runs.append("mended")
    request = pb.ResumeBatchRequest(batch_id=batch_id, reason="mended", request_id=str(uuid.uuid4()))
    answer = await pair.stub.ResumeBatch(request)
    assert (answer.resumed, answer.not_resumed) == (2, 3)
    assert [item.proposal_id for item in answer.answers] == [f"{batch_id}/{key}" for key in "abcde"]
    assert _items(answer) == [("OK", ""), ("OK", ""), *[("FAILED_PRECONDITION", "NOT_RETRYABLE")] * 3]
    assert "resolve it" in answer.answers[2].status.message
    summary = await pair.summary(batch_id)
    assert states(summary.answers) == {
        "a": "SUCCEEDED",
        "b": "SUCCEEDED",
        "c": "OUTCOME_UNKNOWN",
        "d": "REJECTED",
        "e": "SKIPPED",
        "f": "SUCCEEDED",
    }
    mended = await pair.proposal(batch_id, "a")
    assert [attempt.number for attempt in mended.attempts] == [1, 2]
    assert (mended.last_operator, mended.last_operator_reason) == ("user:anonymous", "mended")
    again = await pair.stub.ResumeBatch(request)
    assert (again.resumed, list(again.answers)) == (2, list(answer.answers))
    nothing = await pair.stub.ResumeBatch(pb.ResumeBatchRequest(batch_id=batch_id))
    assert (nothing.resumed, nothing.not_resumed) == (0, 3)
    assert nothing.batch.sequence == summary.batch.sequence


async def test_a_transient_failure_is_retried_by_itself(pair: Services):
    summary = await pair.run(call("flaky", "a", {"name": "x"}))
    assert (summary.answers[0].result_json, summary.answers[0].attempts) == ("2", 2)
    first, second = (await pair.proposal(summary.batch.batch_id, "a")).attempts
    assert first.failure.failure_class == tool_pb2.FAILURE_CLASS_TRANSIENT
    assert not second.HasField("failure")


async def _unknown(pair: Services) -> str:
    summary = await pair.run(call("doubtful", "a"), call("echo", "b", {"value": {"$from": "a"}}))
    assert states(summary.answers) == {"a": "OUTCOME_UNKNOWN", "b": "APPROVED"}
    assert (summary.batch.blocked_on.decisions, summary.batch.blocked_on.resolutions) == (0, 1)
    assert summary.answers[0].waiting.reason == proposal_pb2.WAITING_REASON_RESOLUTION
    return summary.batch.batch_id


async def test_resolved_as_succeeded(pair: Services):
    batch_id = await _unknown(pair)
    request = pb.ResolveProposalRequest(
        proposal_id=f"{batch_id}/a",
        resolution=SUCCEEDED,
        result_json='"seen"',
        reason="looked in the ledger",
        request_id=str(uuid.uuid4()),
    )
    answer = await pair.stub.ResolveProposal(request)
    assert (answer.proposal.result_json, answer.proposal.last_operator_reason) == ('"seen"', "looked in the ledger")
    summary = await pair.summary(batch_id, pb.UNTIL_FINISHED)
    assert [item.result_json for item in summary.answers] == ['"seen"', '"seen"']
    assert (await pair.stub.ResolveProposal(request)).proposal.state == answer.proposal.state
    assert GATES.runs == ["doubtful"]


async def test_who_resolved_it_as_what_and_why_is_on_record_and_when_it_was_sent_and_given_up(pair: Services):
    batch_id = await _unknown(pair)
    (attempt,) = (await pair.proposal(batch_id, "a")).attempts
    assert attempt.executor_id
    assert attempt.dispatch_time.ToNanoseconds() < attempt.finish_time.ToNanoseconds()
    request = pb.ResolveProposalRequest(proposal_id=f"{batch_id}/a", resolution=FAILED, reason="not in the ledger")
    await pair.stub.ResolveProposal(request, metadata=[("greenlight-principal", "user:ann")])
    events = (await pair.stub.ListEvents(pb.ListEventsRequest(batch_id=batch_id))).frame.events
    (resolved,) = [event.proposal_resolved for event in events if event.HasField("proposal_resolved")]
    assert (resolved.resolution, resolved.principal) == (FAILED, "user:ann")
    assert resolved.reason == "not in the ledger"
    proposal = await pair.proposal(batch_id, "a")
    assert (proposal.last_operator, proposal.last_operator_reason) == ("user:ann", "not in the ledger")
    assert proposal.attempts[0] == attempt


async def test_resolved_as_failed_it_had_no_effect_and_a_retry_sends_it_again(pair: Services):
    batch_id = await _unknown(pair)
    again = pb.ResolveProposalRequest(
        proposal_id=f"{batch_id}/a", resolution=event_pb2.RESOLUTION_RUN_AGAIN, reason="it never arrived"
    )
    await pair.stub.ResolveProposal(again)
    assert states((await pair.summary(batch_id)).answers)["a"] == "OUTCOME_UNKNOWN"
    assert GATES.runs == ["doubtful", "doubtful"]
    over = pb.ResolveProposalRequest(proposal_id=f"{batch_id}/a", resolution=FAILED, reason="it never arrived")
    await pair.stub.ResolveProposal(over)
    summary = await pair.summary(batch_id, pb.UNTIL_FINISHED)
    assert states(summary.answers) == {"a": "FAILED", "b": "SKIPPED"}
    assert summary.answers[0].failure.known_effect == tool_pb2.KNOWN_EFFECT_NONE
    answer = await pair.stub.RetryProposals(pb.RetryProposalsRequest(proposal_ids=[f"{batch_id}/a"]))
    assert _items(answer) == [("OK", "")]
    await pair.summary(batch_id)
    assert GATES.runs == ["doubtful", "doubtful", "doubtful"]


async def test_what_cannot_be_resolved(pair: Services):
    finished = (await pair.run(call("echo", "a"))).batch.batch_id
    batch_id = await _unknown(pair)
    fields: dict[str, Any] = {"resolution": FAILED, "reason": "looked"}
    for proposal_id, extra, short in (
        (f"{finished}/a", {}, ("FAILED_PRECONDITION", "NOT_RESOLVABLE")),
        (f"{batch_id}/z", {}, ("NOT_FOUND", "PROPOSAL_UNKNOWN")),
        ("x/a", {}, ("NOT_FOUND", "PROPOSAL_UNKNOWN")),
        ("nonsense", {}, ("NOT_FOUND", "PROPOSAL_UNKNOWN")),
        (f"{batch_id}/a", {"revision": 99}, ("ABORTED", "REVISION_MISMATCH")),
        (f"{batch_id}/a", {"resolution": 0}, ("INVALID_ARGUMENT", "RESOLUTION_INVALID")),
        (f"{batch_id}/a", {"resolution": 9}, ("INVALID_ARGUMENT", "RESOLUTION_INVALID")),
        (f"{batch_id}/a", {"reason": ""}, ("INVALID_ARGUMENT", "RESOLUTION_INVALID")),
        (f"{batch_id}/a", {"result_json": "1"}, ("INVALID_ARGUMENT", "RESOLUTION_INVALID")),
        (f"{batch_id}/a", {"result_json": "{", "resolution": SUCCEEDED}, ("INVALID_ARGUMENT", "RESOLUTION_INVALID")),
        (f"{batch_id}/a", {"result_json": LONE, "resolution": SUCCEEDED}, ("INVALID_ARGUMENT", "RESOLUTION_INVALID")),
    ):
        given: dict[str, Any] = fields | extra
        request = pb.ResolveProposalRequest(proposal_id=proposal_id, **given)
        assert (await refusal(pair.stub.ResolveProposal(request))).short == short
    assert (await pair.summary(batch_id)).batch.blocked_on.resolutions == 1


@pytest.mark.parametrize(
    ("call_of", "field"),
    [
        (lambda s: s.CancelProposals(pb.CancelProposalsRequest()), "proposal_ids"),
        (lambda s: s.CancelProposals(pb.CancelProposalsRequest(proposal_ids=["a/b"] * 2)), "proposal_ids"),
        (lambda s: s.CancelProposals(pb.CancelProposalsRequest(proposal_ids=["a/b"] * 1001)), "proposal_ids"),
        (lambda s: s.CancelBatch(pb.CancelBatchRequest(batch_id="x", reason="r" * 4097)), "reason"),
        (lambda s: s.ResumeBatch(pb.ResumeBatchRequest(batch_id="x", reason="r" * 4097)), "reason"),
        (lambda s: s.RetryProposals(pb.RetryProposalsRequest()), "proposal_ids"),
        (lambda s: s.RetryProposals(pb.RetryProposalsRequest(proposal_ids=["a/b"], batch_id="x")), "proposal_ids"),
        (lambda s: s.RetryProposals(pb.RetryProposalsRequest(proposal_ids=["a/b"], agents=["x"])), "agents"),
    ],
)
async def test_requests_that_are_wrong(pair: Services, call_of: Any, field: str):
    refused = await refusal(call_of(pair.stub))
    assert refused.short == ("INVALID_ARGUMENT", "REQUEST_INVALID")
    assert list(refused.fields) == [field]


async def test_a_batch_that_is_not_there(pair: Services):
    for answer in (
        pair.stub.CancelBatch(pb.CancelBatchRequest(batch_id="x")),
        pair.stub.CloseBatch(pb.CloseBatchRequest(batch_id="")),
        pair.stub.RetryProposals(pb.RetryProposalsRequest(batch_id="x")),
        pair.stub.ResumeBatch(pb.ResumeBatchRequest(batch_id="x")),
        pair.stub.AddProposals(pb.AddProposalsRequest(batch_id="x", proposals=[call("echo")])),
        pair.stub.GetBatch(pb.GetBatchRequest(batch_id="x")),
        pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id="x" * 10_000)),
        pair.stub.ListEvents(pb.ListEventsRequest(batch_id="x")),
        pair.stub.WaitBatch(pb.WaitBatchRequest(batch_id="x")),
    ):
        assert (await refusal(answer)).short == ("NOT_FOUND", "BATCH_UNKNOWN")
