"""Who calls: tenants that never meet, principals, traces; and metadata that is wrong."""

from pathlib import Path
from typing import Any

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from tests.support.refusals import item_refusal, refusal
from tests.support.services import Services, batch, call, services

RED, BLUE = (("greenlight-tenant", "red"),), (("greenlight-tenant", "blue"),)


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ((("greenlight-tenant", "Upper"),), "greenlight-tenant"),
        ((("greenlight-tenant", ""),), "greenlight-tenant"),
        ((("greenlight-tenant", "x" * 65),), "greenlight-tenant"),
        ((("greenlight-tenant", "a"), ("greenlight-tenant", "b")), "greenlight-tenant"),
        ((("greenlight-principal", "nobody"),), "greenlight-principal"),
        ((("greenlight-principal", "user:a b"),), "greenlight-principal"),
        ((("greenlight-principal", "user:" + "x" * 300),), "greenlight-principal"),
        ((("greenlight-principal", "user:a"), ("greenlight-principal", "user:b")), "greenlight-principal"),
    ],
)
async def test_metadata_that_is_wrong(pair: Services, metadata: Any, field: str):
    for answer in (
        pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=batch(call("echo"))), metadata=metadata),
        pair.stub.RunBatch(pb.RunBatchRequest(batch=batch(call("echo"))), metadata=metadata),
        pair.stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=metadata),
    ):
        refused = await refusal(answer)
        assert refused.short == ("INVALID_ARGUMENT", "METADATA_INVALID")
        assert list(refused.fields) == [field]
    assert await pair.batches() == []


async def test_tenants_never_meet(pair: Services):
    spec = batch(call("note", "a"), session_id="talk")
    held = (await pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec), metadata=RED)).batch
    other = (await pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec), metadata=BLUE)).batch
    assert (held.session_no, other.session_no) == (1, 1)
    name = f"{held.batch_id}/a"
    for answer in (
        pair.stub.GetBatch(pb.GetBatchRequest(batch_id=held.batch_id), metadata=BLUE),
        pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id), metadata=BLUE),
        pair.stub.ListEvents(pb.ListEventsRequest(batch_id=held.batch_id), metadata=BLUE),
        pair.stub.WaitBatch(pb.WaitBatchRequest(batch_id=held.batch_id), metadata=BLUE),
        pair.stub.CancelBatch(pb.CancelBatchRequest(batch_id=held.batch_id), metadata=BLUE),
        pair.stub.CloseBatch(pb.CloseBatchRequest(batch_id=held.batch_id), metadata=BLUE),
        pair.stub.RetryProposals(pb.RetryProposalsRequest(batch_id=held.batch_id), metadata=BLUE),
        pair.stub.ResumeBatch(pb.ResumeBatchRequest(batch_id=held.batch_id), metadata=BLUE),
        pair.stub.GetProposal(pb.GetProposalRequest(proposal_id=name), metadata=BLUE),
    ):
        assert (await refusal(answer)).code == "NOT_FOUND"
    rejection = pb.Decision(proposal_id=name, verdict=proposal_pb2.VERDICT_REJECT)
    decided = await pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[rejection]), metadata=BLUE)
    assert item_refusal(decided.answers[0].status) == ("NOT_FOUND", "PROPOSAL_UNKNOWN")
    listed = (await pair.stub.ListBatches(pb.ListBatchesRequest(), metadata=BLUE)).batches
    assert [found.batch_id for found in listed] == [other.batch_id]
    inbox = (await pair.stub.ListProposals(pb.ListProposalsRequest(batch_id=held.batch_id), metadata=BLUE)).proposals
    assert list(inbox) == []
    assert (await pair.stub.ListBatches(pb.ListBatchesRequest(), metadata=RED)).batches[0].counts.proposed == 1


async def test_one_request_id_in_two_tenants(pair: Services):
    request = pb.SubmitBatchRequest(batch=batch(call("echo")), request_id="01900000-0000-7000-8000-000000000001")
    one = await pair.stub.SubmitBatch(request, metadata=RED)
    other = await pair.stub.SubmitBatch(request, metadata=BLUE)
    assert one.batch.batch_id != other.batch.batch_id


async def test_only_some_tenants(tmp_path: Path):
    async with services(tmp_path, toolboxes=(), tenants=["red"]) as pair:
        assert (await pair.stub.ListBatches(pb.ListBatchesRequest(), metadata=RED)).batches == []
        for metadata in (BLUE, ()):
            refused = await refusal(pair.stub.ListBatches(pb.ListBatchesRequest(), metadata=metadata))
            assert refused.short == ("NOT_FOUND", "TENANT_UNKNOWN")


async def test_the_principal_is_on_record(pair: Services):
    metadata = (("greenlight-principal", "agent:planner"),)
    held = (await pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=batch(call("echo", "a"))), metadata=metadata)).batch
    assert held.principal == "agent:planner"
    assert (await pair.proposal(held.batch_id, "a")).principal == "agent:planner"


async def test_who_proposes_may_not_approve(tmp_path: Path):
    async with services(tmp_path, self_approval=False) as pair:
        metadata = (("greenlight-principal", "agent:planner"),)
        request = pb.SubmitBatchRequest(batch=batch(call("publish", "a")))
        held = (await pair.stub.SubmitBatch(request, metadata=metadata)).batch
        digest = (await pair.proposal(held.batch_id, "a")).digest
        approval = pb.Decision(proposal_id=f"{held.batch_id}/a", verdict=proposal_pb2.VERDICT_APPROVE, digest=digest)
        decide = pb.DecideProposalsRequest(decisions=[approval])
        own = await pair.stub.DecideProposals(decide, metadata=metadata)
        assert item_refusal(own.answers[0].status) == ("PERMISSION_DENIED", "SELF_APPROVAL")
        others = await pair.stub.DecideProposals(decide)
        assert item_refusal(others.answers[0].status) == ("OK", "")


@pytest.mark.parametrize(
    ("traceparent", "expected"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "0af7651916cd43dd8448eb211c80319c"),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", ""),
        ("nonsense", ""),
    ],
)
async def test_the_callers_trace_goes_on(pair: Services, traceparent: str, expected: str):
    request = pb.SubmitBatchRequest(batch=batch(call("echo")))
    answer = await pair.stub.SubmitBatch(request, metadata=(("traceparent", traceparent),))
    assert answer.batch.trace_id == (expected or answer.batch.batch_id.replace("-", ""))
