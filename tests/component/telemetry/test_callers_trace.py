"""A batch that was submitted with a `traceparent` hangs below the caller's span, whatever happens in between."""

from pathlib import Path

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from tests.support.otlp_sink import OtlpSink
from tests.support.services import batch, call, services

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


async def test_also_after_a_restart(tmp_path: Path):
    async with OtlpSink() as sink:
        async with services(tmp_path, otlp_endpoint=sink.endpoint) as pair:
            request = pb.SubmitBatchRequest(batch=batch(call("note", "a"), name="told"))
            metadata = (("traceparent", f"00-{TRACE}-{SPAN}-01"),)
            held = (await pair.stub.SubmitBatch(request, metadata=metadata)).batch
            assert held.trace_id == TRACE
            alone = await pair.run(call("echo", "a"), name="alone")
        async with services(tmp_path, otlp_endpoint=sink.endpoint) as pair:
            decision = pb.Decision(proposal_id=f"{held.batch_id}/a", verdict=proposal_pb2.VERDICT_APPROVE)
            await pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[decision]))
            await pair.summary(held.batch_id)
        (told,) = sink.named("invoke_workflow told")
        assert (told.trace_id, told.parent_id) == (TRACE, SPAN)
        assert [span.name for span in sink.children(told)] == ["execute_tool note"]
        (other,) = sink.named("invoke_workflow alone")
        assert (other.trace_id, other.parent_id) == (alone.batch.trace_id, "")
