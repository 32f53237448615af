"""The Summary of one batch, or of several of a session."""

from greenlight.orchestrator.v1 import batch_pb2 as pb
from orchestrator_svc.api.mapping.batches import batch_message
from orchestrator_svc.api.mapping.budget import fit_answers, fit_batches
from orchestrator_svc.api.mapping.cutting import wire_size
from orchestrator_svc.application.summaries import Summary


async def summary_message(summary: Summary, *, several: bool, beside: int = 0) -> pb.Summary:
    """At most 3 MiB with what is `beside` it in its message, in bytes."""
    batches = fit_batches([batch_message(view) for view in summary.batches])
    taken = beside + sum(wire_size(batch.ByteSize()) for batch in batches)
    fitted = await fit_answers(summary.answers, taken, with_batch_id=several)
    return pb.Summary(
        batch=None if several or not batches else batches[0],
        answers=fitted.messages,
        batches=batches if several else (),
        omitted_answers=fitted.omitted + summary.left_out,
        wait_ended=summary.waited,
    )
