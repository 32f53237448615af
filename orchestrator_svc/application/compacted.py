"""Events that are gone: whoever asks for them is told so, and where it can go on. Nothing is left out in silence."""

from collections.abc import Sequence

from orchestrator_svc.application.tokens import SessionCursor
from orchestrator_svc.ports.store import BatchHead
from shared.kernel.errors import FieldViolation, OutOfRangeError

_LONGEST_TOKEN = 4096
"""Metadata of an error is limited."""


def check_kept(batch_id: str, after: int, head: BatchHead) -> None:
    """Raises OutOfRangeError (EVENTS_COMPACTED) unless all events after a sequence are there."""
    if after + 1 >= head.oldest:
        return
    raise OutOfRangeError(
        "EVENTS_COMPACTED",
        f"events {after + 1} to {head.oldest - 1} of batch {batch_id} are gone; see it by GetBatch, and go on after "
        "batch.sequence",
        violations=[FieldViolation("resume_after", f"must be at least {head.oldest - 1}")],
        metadata={"batch_id": batch_id, "oldest_sequence": str(head.oldest), "sequence": str(head.head)},
    )


def check_session_kept(heads: Sequence[tuple[str, BatchHead]], cursor: SessionCursor) -> None:
    """The same of all batches of a session; `session_token` of the error goes on with what there is."""
    gone = [(batch_id, head) for batch_id, head in heads if cursor.after(head) + 1 < head.oldest]
    if not gone:
        return
    batch_id, head = gone[0]
    others = f" and of {len(gone) - 1} other batches" if len(gone) > 1 else ""
    metadata = {"batch_id": batch_id, "oldest_sequence": str(head.oldest), "sequence": str(head.head)}
    token = _past([head for _, head in heads], cursor).encode()
    if len(token) <= _LONGEST_TOKEN:
        metadata["session_token"] = token
    raise OutOfRangeError(
        "EVENTS_COMPACTED",
        f"events of batch {batch_id}{others} are gone; see them by ListBatches and GetBatch, and go on with the "
        "session_token of this error",
        metadata=metadata,
    )


def _past(heads: Sequence[BatchHead], cursor: SessionCursor) -> SessionCursor:
    """Behind what is gone, and not behind anything else."""
    past = SessionCursor(cursor.session, cursor.highest, dict(cursor.open))
    afters = {head.session_no: max(cursor.after(head), head.oldest - 1) for head in heads}
    lost = [head.session_no for head in heads if cursor.after(head) + 1 < head.oldest]
    past.highest = max(past.highest, *lost)
    for head in heads:
        if head.session_no <= past.highest:
            past.advance(head, afters[head.session_no])
    return past
