"""Decisions: item by item, atomic, repeated, and those that cannot be made."""

import uuid
from typing import Any

import pytest
from google.protobuf import struct_pb2

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from greenlight.tool.v1 import tool_pb2
from tests.support.gates import GATES
from tests.support.refusals import item_refusal, refusal
from tests.support.services import Services, call, state_of, states

APPROVE, REJECT = proposal_pb2.VERDICT_APPROVE, proposal_pb2.VERDICT_REJECT


async def _decide(pair: Services, *decisions: pb.Decision, **fields: Any) -> list[tuple[str, str]]:
    """Code and reason of each."""
    request = pb.DecideProposalsRequest(decisions=decisions, **fields)
    answer = await pair.stub.DecideProposals(request)
    assert [item.proposal_id for item in answer.answers] == [item.proposal_id for item in decisions]
    return [item_refusal(item.status) for item in answer.answers]


async def _approval(pair: Services, batch_id: str, key: str, **fields: Any) -> pb.Decision:
    """With the digest that stands."""
    fields = {"digest": (await pair.proposal(batch_id, key)).digest} | fields
    return pb.Decision(proposal_id=f"{batch_id}/{key}", verdict=APPROVE, **fields)


async def test_approved_and_rejected(pair: Services):
    held = await pair.submit(call("publish", "a", {"text": "x"}), call("note", "b"), call("echo", "c", after=["b"]))
    rejection = pb.Decision(proposal_id=f"{held.batch_id}/b", verdict=REJECT, message="not now")
    assert await _decide(pair, await _approval(pair, held.batch_id, "a"), rejection) == [("OK", "")] * 2
    summary = await pair.summary(held.batch_id)
    assert states(summary.answers) == {"a": "SUCCEEDED", "b": "REJECTED", "c": "SKIPPED"}
    assert (summary.answers[0].result_json, summary.answers[1].message) == ('"x"', "not now")
    record = (await pair.proposal(held.batch_id, "a")).decisions[0]
    assert (record.verdict, record.principal, record.edited) == (APPROVE, "user:anonymous", False)


async def test_edited_arguments_run_instead(pair: Services):
    held = await pair.submit(call("publish", "a", {"text": "x"}), call("publish", "b", {"text": "y"}))
    typed = struct_pb2.Struct()
    typed.update({"text": 7})
    assert (
        await _decide(
            pair,
            await _approval(pair, held.batch_id, "a", edited_arguments_json='{"text": "z"}'),
            await _approval(pair, held.batch_id, "b", edited_arguments=typed),
        )
        == [("OK", "")] * 2
    )
    summary = await pair.summary(held.batch_id)
    assert [answer.result_json for answer in summary.answers] == ['"z"', "7"]
    proposal = await pair.proposal(held.batch_id, "a")
    assert (proposal.original_arguments_json, proposal.proposed_arguments_json) == ('{"text":"x"}', '{"text":"z"}')
    assert proposal.decisions[0].edited
    assert proposal.decisions[0].digest == proposal.bound_digest


async def test_one_items_fault_never_refuses_the_others(pair: Services):
    held = await pair.submit(*[call("publish", key) for key in "abcdefg"], call("echo", "done"))
    other = await pair.submit(call("publish", "a"))
    approval = await _approval(pair, held.batch_id, "a")
    stale = await _approval(pair, held.batch_id, "b", revision=99)
    wrong_digest = await _approval(pair, held.batch_id, "c", digest="sha256:" + "0" * 64)
    no_digest = await _approval(pair, held.batch_id, "d", digest="")
    bad_edit = await _approval(pair, held.batch_id, "e", edited_arguments_json='{"txt": 1}')
    reference = await _approval(pair, held.batch_id, "f", edited_arguments_json='{"text": {"$from": "a"}}')
    over = pb.Decision(proposal_id=f"{held.batch_id}/done", verdict=REJECT)
    unknown = [pb.Decision(proposal_id=name, verdict=APPROVE) for name in (f"{held.batch_id}/z", "x/y", "", "///")]
    elsewhere = await _approval(pair, other.batch_id, "a")
    assert await _decide(
        pair, approval, stale, wrong_digest, no_digest, bad_edit, reference, over, *unknown, elsewhere
    ) == [
        ("OK", ""),
        ("ABORTED", "REVISION_MISMATCH"),
        ("ABORTED", "DIGEST_MISMATCH"),
        ("INVALID_ARGUMENT", "DIGEST_REQUIRED"),
        ("INVALID_ARGUMENT", "ARGUMENTS_INVALID"),
        ("INVALID_ARGUMENT", "ARGUMENTS_INVALID"),
        ("FAILED_PRECONDITION", "PROPOSAL_NOT_PENDING"),
        *[("NOT_FOUND", "PROPOSAL_UNKNOWN")] * 4,
        ("OK", ""),
    ]
    assert (await pair.summary(held.batch_id)).batch.counts.proposed == 6


async def test_an_answer_says_how_it_stands(pair: Services):
    held = await pair.submit(call("publish", "a"))
    stale = await _approval(pair, held.batch_id, "a", revision=99)
    answer = (await pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[stale]))).answers[0]
    proposal = await pair.proposal(held.batch_id, "a")
    assert (answer.state, answer.revision, answer.digest) == (proposal.state, proposal.revision, proposal.digest)


async def test_atomic_decides_all_or_none(pair: Services):
    held = await pair.submit(call("publish", "a"), call("publish", "b"))
    good, bad = await _approval(pair, held.batch_id, "a"), await _approval(pair, held.batch_id, "b", revision=9)
    assert await _decide(pair, good, bad, atomic=True) == [("ABORTED", "NOT_APPLIED"), ("ABORTED", "REVISION_MISMATCH")]
    unknown = pb.Decision(proposal_id=f"{held.batch_id}/z", verdict=APPROVE)
    assert await _decide(pair, good, unknown, atomic=True) == [
        ("ABORTED", "NOT_APPLIED"),
        ("NOT_FOUND", "PROPOSAL_UNKNOWN"),
    ]
    assert (await pair.summary(held.batch_id)).batch.counts.proposed == 2
    bad.ClearField("revision")
    assert await _decide(pair, good, bad, atomic=True) == [("OK", "")] * 2
    assert state_of((await pair.summary(held.batch_id)).batch) == "SUCCEEDED"


async def test_atomic_is_within_one_batch(pair: Services):
    one, other = await pair.submit(call("publish", "a")), await pair.submit(call("publish", "a"))
    decisions = [await _approval(pair, one.batch_id, "a"), await _approval(pair, other.batch_id, "a")]
    refused = await refusal(pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=decisions, atomic=True)))
    assert refused.short == ("INVALID_ARGUMENT", "ATOMIC_SPANS_BATCHES")
    assert (await pair.summary(one.batch_id)).batch.counts.proposed == 1


async def test_repeating_a_decision_is_a_no_op(pair: Services):
    held = await pair.submit(call("publish", "a"))
    approval = await _approval(pair, held.batch_id, "a", revision=1)
    for _ in range(3):
        assert await _decide(pair, approval) == [("OK", "")]
    await pair.summary(held.batch_id)
    assert await _decide(pair, approval) == [("OK", "")]
    proposal = await pair.proposal(held.batch_id, "a")
    assert len(proposal.decisions) == 1
    assert GATES.runs == ["publish"]
    assert await _decide(pair, pb.Decision(proposal_id=f"{held.batch_id}/a", verdict=REJECT)) == [
        ("FAILED_PRECONDITION", "PROPOSAL_NOT_PENDING")
    ]


async def test_the_same_request_gets_the_earlier_answers(pair: Services):
    held, other = await pair.submit(call("publish", "a")), await pair.submit(call("publish", "a"))
    decisions = [await _approval(pair, held.batch_id, "a"), await _approval(pair, other.batch_id, "a", revision=9)]
    request = pb.DecideProposalsRequest(decisions=decisions, request_id=str(uuid.uuid4()))
    first = await pair.stub.DecideProposals(request)
    assert await pair.stub.DecideProposals(request) == first
    request.decisions[1].ClearField("revision")
    assert (await refusal(pair.stub.DecideProposals(request))).reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("decisions", "field"),
    [
        ([], "decisions"),
        ([pb.Decision(proposal_id="a/b", verdict=REJECT)] * 1001, "decisions"),
        ([pb.Decision(proposal_id="a/b")], "decisions[0].verdict"),
        ([pb.Decision(proposal_id="a/b", verdict=7)], "decisions[0].verdict"),  # type: ignore[arg-type]
        ([pb.Decision(proposal_id="a/b", verdict=REJECT)] * 2, "decisions[1].proposal_id"),
        ([pb.Decision(proposal_id="a/b", verdict=REJECT, message="m" * 4097)], "decisions[0].message"),
        (
            [pb.Decision(proposal_id="a/b", verdict=REJECT, edited_arguments_json="{}")],
            "decisions[0].edited_arguments_json",
        ),
    ],
)
async def test_requests_that_are_wrong(pair: Services, decisions: list[pb.Decision], field: str):
    refused = await refusal(pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=decisions)))
    assert refused.short == ("INVALID_ARGUMENT", "DECISIONS_INVALID")
    assert field in refused.fields


async def test_an_edit_that_a_double_cannot_hold(pair: Services):
    typed = struct_pb2.Struct()
    typed.update({"text": 2.0**60})
    decision = pb.Decision(proposal_id="a/b", verdict=APPROVE, edited_arguments=typed)
    refused = await refusal(pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[decision])))
    assert "edited_arguments_json" in refused.fields["decisions[0].edited_arguments.text"]


async def test_a_bound_proposal_is_asked_for_when_its_inputs_are_there(pair: Services):
    held = await pair.submit(
        call("wait", "a", {"gate": "gate"}), call("publish", "b", {"text": {"$from": "a"}}), call("publish", "c")
    )
    early = await _approval(pair, held.batch_id, "b")
    assert await _decide(pair, early) == [("FAILED_PRECONDITION", "NOT_BOUND")]
    GATES.open("gate")
    await pair.summary(held.batch_id)
    assert await _decide(pair, early) == [("ABORTED", "DIGEST_MISMATCH")]
    proposal = await pair.proposal(held.batch_id, "b")
    assert (proposal.bound_arguments_json, proposal.digest) == ('{"text":"gate"}', proposal.bound_digest)
    assert proposal.waiting.reason == proposal_pb2.WAITING_REASON_DECISION
    assert await _decide(pair, await _approval(pair, held.batch_id, "b")) == [("OK", "")]


async def test_accepted_before_it_is_bound(pair: Services):
    held = await pair.submit(call("wait", "a", {"gate": "gate"}), call("publish", "b", {"text": {"$from": "a"}}))
    assert await _decide(pair, await _approval(pair, held.batch_id, "b", accept_unbound=True)) == [("OK", "")]
    GATES.open("gate")
    summary = await pair.summary(held.batch_id)
    assert summary.answers[1].result_json == '"gate"'
    assert (await pair.proposal(held.batch_id, "b")).decisions[0].accept_unbound


async def test_a_stricter_tier(pair: Services):
    summary = await pair.run(call("echo", "a", tier=tool_pb2.TIER_HARD))
    assert states(summary.answers) == {"a": "PROPOSED"}
    assert state_of(summary.batch) == "BLOCKED"
