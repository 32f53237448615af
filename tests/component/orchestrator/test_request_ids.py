"""Every mutation by the same request id: the very same request does nothing more, another one is refused."""

import uuid
from collections.abc import AsyncIterable
from typing import Any

import pytest

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2, session_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.support.refusals import Refusal, refusal
from tests.support.services import Services, batch, call

RUN_AGAIN = event_pb2.RESOLUTION_RUN_AGAIN


async def _requests(pair: Services) -> dict[str, tuple[Any, Any]]:
    """Method -> a request that does something, and another payload."""
    held = await pair.submit(*[call("note", key) for key in "abcd"], session_id="talk", open=True)
    failed = (await pair.run(call("failing", "a"))).batch.batch_id
    doubtful = (await pair.run(call("doubtful", "a"))).batch.batch_id
    await pair.stub.CreateSession(pb.CreateSessionRequest(session=session_pb2.Session(session_id="s")))
    batch_id, spec = held.batch_id, batch(call("echo"))
    decisions = [pb.Decision(proposal_id=f"{batch_id}/a", verdict=proposal_pb2.VERDICT_REJECT)]
    resolving = {"proposal_id": f"{doubtful}/a", "resolution": RUN_AGAIN}
    return {
        "SubmitBatch": (pb.SubmitBatchRequest(batch=spec), pb.SubmitBatchRequest(batch=batch(call("echo", "x")))),
        "RunBatch": (pb.RunBatchRequest(batch=spec), pb.RunBatchRequest(batch=batch(call("echo", "x")))),
        "AddProposals": (
            pb.AddProposalsRequest(batch_id=batch_id, proposals=[call("note", "e")]),
            pb.AddProposalsRequest(batch_id=batch_id, proposals=[call("note", "f")]),
        ),
        "DecideProposals": (
            pb.DecideProposalsRequest(decisions=decisions),
            pb.DecideProposalsRequest(decisions=decisions, atomic=True),
        ),
        "CancelProposals": (
            pb.CancelProposalsRequest(proposal_ids=[f"{batch_id}/b"]),
            pb.CancelProposalsRequest(proposal_ids=[f"{batch_id}/c"]),
        ),
        "CloseBatch": (pb.CloseBatchRequest(batch_id=batch_id), pb.CloseBatchRequest(batch_id=failed)),
        "SoftConfirm": (
            pb.SoftConfirmRequest(session_id="talk", all=True, until=pb.UNTIL_BLOCKED),
            pb.SoftConfirmRequest(session_id="talk", all=True, agents=["x"], until=pb.UNTIL_BLOCKED),
        ),
        "CancelBatch": (pb.CancelBatchRequest(batch_id=batch_id), pb.CancelBatchRequest(batch_id=failed)),
        "RetryProposals": (
            pb.RetryProposalsRequest(batch_id=failed),
            pb.RetryProposalsRequest(batch_id=failed, agents=["x"]),
        ),
        "ResumeBatch": (pb.ResumeBatchRequest(batch_id=failed), pb.ResumeBatchRequest(batch_id=batch_id)),
        "ResolveProposal": (
            pb.ResolveProposalRequest(**resolving, reason="looked"),
            pb.ResolveProposalRequest(**resolving, reason="looked twice"),
        ),
        "CreateSession": (
            pb.CreateSessionRequest(session=session_pb2.Session(session_id="t")),
            pb.CreateSessionRequest(session=session_pb2.Session(session_id="u")),
        ),
        "UpdateSession": (
            pb.UpdateSessionRequest(session_id="s", title="one"),
            pb.UpdateSessionRequest(session_id="s", title="two"),
        ),
    }


async def _ask(pair: Services, method: str, request: Any) -> None:
    answer = getattr(pair.stub, method)(request)
    if isinstance(answer, AsyncIterable):
        async for _ in answer:
            pass
    else:
        await answer


async def _made(pair: Services) -> tuple[dict[str, int], int]:
    """How many proposals each batch has, and how many sessions there are."""
    sessions = (await pair.stub.ListSessions(pb.ListSessionsRequest())).sessions
    return {found.batch_id: found.counts.total for found in await pair.batches()}, len(sessions)


async def _refused(pair: Services, method: str, request: Any) -> Refusal:
    return await refusal(getattr(pair.stub, method)(request))


METHODS = [
    *("SubmitBatch", "RunBatch", "AddProposals", "DecideProposals", "CancelProposals", "CloseBatch"),
    *("SoftConfirm", "CancelBatch", "RetryProposals", "ResumeBatch", "ResolveProposal"),
    *("CreateSession", "UpdateSession"),
]


def test_none_is_left_out():
    takes = {
        method.name
        for method in pb.DESCRIPTOR.services_by_name["OrchestratorService"].methods
        if "request_id" in method.input_type.fields_by_name
    }
    assert takes == {*METHODS}


@pytest.mark.parametrize("method", METHODS)
async def test_the_same_again_and_another_payload(pair: Services, method: str):
    request, another = (await _requests(pair))[method]
    request.request_id = another.request_id = str(uuid.uuid4())
    await _ask(pair, method, request)
    before = await _made(pair)
    await _ask(pair, method, request)
    refused = await _refused(pair, method, another)
    assert refused.short == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    assert list(refused.fields) == ["request_id"]
    elsewhere = pb.CancelBatchRequest(batch_id="x", request_id=request.request_id)
    if method != "CancelBatch":
        assert (await _refused(pair, "CancelBatch", elsewhere)).reason == "REQUEST_ID_REUSED"
    assert await _made(pair) == before
