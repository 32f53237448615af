"""Every mutation, sent to the orchestrator that does not have the batch: the same answers and errors as from the one
that has it; done once, whichever of the two is asked again."""

import uuid
from collections.abc import AsyncIterable
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.support.neighbours_served import Both
from tests.support.refusals import refusal
from tests.support.services import Services, call

pytestmark = pytest.mark.postgresql

BRIEFLY = Duration(nanos=1)
FAILED = event_pb2.RESOLUTION_FAILED
APPROVE, REJECT = proposal_pb2.VERDICT_APPROVE, proposal_pb2.VERDICT_REJECT


async def held(one: Services, session: str) -> str:
    """A batch with a call that runs: it stays with its owner. Some of it has failed, of some nobody knows."""
    batch = await one.submit(
        call("wait", "runs", {"gate": "gate"}),
        *[call("note", key) for key in "abcd"],
        call("publish", "hard"),
        call("failing", "failed"),
        call("doubtful", "doubtful"),
        session_id=session,
        open=True,
    )
    await one.until_state(batch.batch_id, "failed", proposal_pb2.PROPOSAL_STATE_FAILED)
    await one.until_state(batch.batch_id, "doubtful", proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN)
    return batch.batch_id


def requests(batch_id: str, session: str) -> dict[str, Any]:
    """Method -> a request that does something."""
    reject = pb.Decision(proposal_id=f"{batch_id}/a", verdict=REJECT, message="no")
    nobody = pb.Decision(proposal_id=f"{batch_id}/nobody", verdict=APPROVE)
    doubtful = f"{batch_id}/doubtful"
    return {
        "AddProposals": pb.AddProposalsRequest(batch_id=batch_id, proposals=[call("note"), call("echo", after=["a"])]),
        "DecideProposals": pb.DecideProposalsRequest(decisions=[nobody, reject]),
        "CancelProposals": pb.CancelProposalsRequest(proposal_ids=[f"{batch_id}/b", "none"], reason="enough"),
        "CloseBatch": pb.CloseBatchRequest(batch_id=batch_id),
        "SoftConfirm": pb.SoftConfirmRequest(session_id=session, all=True, until=pb.UNTIL_BLOCKED, max_wait=BRIEFLY),
        "CancelBatch": pb.CancelBatchRequest(batch_id=batch_id, reason="enough"),
        "RetryProposals": pb.RetryProposalsRequest(batch_id=batch_id),
        "ResumeBatch": pb.ResumeBatchRequest(batch_id=batch_id),
        "ResolveProposal": pb.ResolveProposalRequest(proposal_id=doubtful, resolution=FAILED, reason="looked"),
    }


async def ask(services: Services, method: str, request: Any) -> Any:
    """The answer; of a stream what it says of the turn."""
    answer = getattr(services.stub, method)(request)
    if not isinstance(answer, AsyncIterable):
        return await answer
    return [response.confirmation async for response in answer if response.HasField("confirmation")]


def plain(answer: Any, batch_id: str) -> str:
    """Without what differs from batch to batch."""
    if hasattr(answer, "batch"):
        answer.ClearField("batch")
    if hasattr(answer, "proposal"):
        answer = answer.proposal.state
    return str(answer).replace(batch_id, "BATCH")


BY_PEOPLE = {
    *("proposal_added", "proposal_decided", "proposal_resolved", "proposal_retried"),
    *("batch_cancel_requested", "batch_closed"),
}


async def count(services: Services, batch_id: str) -> int:
    """Of what people did; what follows from it goes on."""
    events = (await services.stub.ListEvents(pb.ListEventsRequest(batch_id=batch_id))).frame.events
    return sum(event.WhichOneof("detail") in BY_PEOPLE for event in events)


@pytest.mark.parametrize("method", requests("", ""))
async def test_the_same_answer_done_once(both: Both, method: str):
    told: list[str] = []
    for asked, session in ((both.one, "first"), (both.other, "second")):
        batch_id = await held(both.one, session)
        request = requests(batch_id, session)[method]
        request.request_id = str(uuid.uuid4())
        told.append(plain(await ask(asked, method, request), batch_id))
        for again in (both.one, both.other):
            before = await count(both.one, batch_id)
            assert plain(await ask(again, method, request), batch_id) == told[-1]
            assert await count(both.one, batch_id) == before
    assert told[0] == told[1]


def wrong(batch_id: str) -> list[tuple[str, Any]]:
    """What is refused, and changes nothing."""
    failed, hard, doubtful = (f"{batch_id}/{key}" for key in ("failed", "hard", "doubtful"))
    edited = pb.Decision(proposal_id=f"{batch_id}/a", verdict=APPROVE, edited_arguments_json='{"what":1}')
    pair = [edited, pb.Decision(proposal_id=hard, verdict=APPROVE, digest="sha256:0")]
    return [
        ("AddProposals", pb.AddProposalsRequest(batch_id=batch_id, proposals=[call("nonsense"), call("typed")])),
        ("AddProposals", pb.AddProposalsRequest(batch_id=batch_id, proposals=[call("note", "a", after=["zz"])])),
        ("DecideProposals", pb.DecideProposalsRequest(decisions=pair, atomic=True)),
        ("DecideProposals", pb.DecideProposalsRequest(decisions=[pb.Decision(proposal_id=hard, verdict=APPROVE)])),
        ("CancelProposals", pb.CancelProposalsRequest(proposal_ids=[failed])),
        ("RetryProposals", pb.RetryProposalsRequest(proposal_ids=[doubtful, hard])),
        ("ResolveProposal", pb.ResolveProposalRequest(proposal_id=failed, resolution=FAILED, reason="x")),
        ("ResolveProposal", pb.ResolveProposalRequest(proposal_id=f"{batch_id}/z", resolution=FAILED, reason="x")),
        (
            "ResolveProposal",
            pb.ResolveProposalRequest(proposal_id=doubtful, resolution=FAILED, reason="x", revision=77),
        ),
    ]


async def told_by(services: Services, method: str, request: Any) -> Any:
    if method in ("DecideProposals", "CancelProposals", "RetryProposals"):
        return await ask(services, method, request)
    return await refusal(getattr(services.stub, method)(request))


async def test_the_same_is_refused(both: Both):
    batch_id = await held(both.one, "talk")
    before = await count(both.one, batch_id)
    for method, request in wrong(batch_id):
        assert await told_by(both.other, method, request) == await told_by(both.one, method, request), method
    assert await count(both.one, batch_id) == before
    closing = pb.CloseBatchRequest(batch_id=batch_id)
    await both.other.stub.CloseBatch(closing)
    late = pb.AddProposalsRequest(batch_id=batch_id, proposals=[call("note")])
    refused = [await told_by(services, "AddProposals", late) for services in (both.one, both.other)]
    assert refused[0] == refused[1]
    assert refused[0].short == ("FAILED_PRECONDITION", "BATCH_CLOSED")


async def test_another_tenant_has_no_such_batch(both: Both):
    """Though another orchestrator has it."""
    batch_id = await held(both.one, "talk")
    metadata = (("greenlight-tenant", "strangers"),)
    close = both.other.stub.CloseBatch(pb.CloseBatchRequest(batch_id=batch_id), metadata=metadata)
    assert (await refusal(close)).short == ("NOT_FOUND", "BATCH_UNKNOWN")
    decision = pb.Decision(proposal_id=f"{batch_id}/a", verdict=REJECT)
    request = pb.DecideProposalsRequest(decisions=[decision])
    (answer,) = (await both.other.stub.DecideProposals(request, metadata=metadata)).answers
    assert answer.status.code == 5


async def test_a_large_addition(both: Both):
    """As much as a request may carry."""
    batch_id = await held(both.one, "talk")
    proposals = [call("note", f"k{number}", {"text": "x" * 200_000}) for number in range(60)]
    request = pb.AddProposalsRequest(batch_id=batch_id, proposals=proposals)
    answer = await both.other.stub.AddProposals(request)
    assert answer.proposal_ids[-1] == f"{batch_id}/k59"
    assert answer.batch.counts.total == 68
