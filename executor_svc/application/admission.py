"""Whether a call may start. Every refusal is made before any effect, and none is remembered."""

from executor_svc.application.ledger import Ledger
from executor_svc.application.registry import Hosted
from executor_svc.application.streams import Stream, Streams
from executor_svc.domain.call import Call
from executor_svc.domain.journalled import fenced
from executor_svc.domain.outcome import Failure, FailureClass, KnownEffect, refusal
from executor_svc.domain.text import clean

_RETRY_AFTER = 0.1
_WAITING_CHUNKS = 64 << 20


def unknown_tool(call: Call) -> Failure:
    """Another executor may have it."""
    text = clean(f"this executor has no tool {call.tool!r} {call.version!r}", 400)
    return refusal(FailureClass.UNAVAILABLE, "TOOL_UNKNOWN", text)


def wrong_digest() -> Failure:
    return refusal(FailureClass.PERMANENT, "DIGEST_MISMATCH", "tool, version and arguments have another digest")


def forgotten() -> Failure:
    """A repetition so late that the result is no longer kept; it is not run again."""
    return refusal(FailureClass.PERMANENT, "CALL_ENDED", "this call ended and was acknowledged; its outcome is gone")


def superseded() -> Failure:
    """It runs, for a later owner of its batch."""
    text = "this call runs, and is a later owner's of its batch: only that one is told how it ends"
    return Failure(FailureClass.UNAVAILABLE, KnownEffect.POSSIBLE, "OWNER_SUPERSEDED", text)


def judge(call: Call, hosted: Hosted, stream: Stream, streams: Streams, ledger: Ledger, running: int) -> Failure | None:
    """Returns why a call that is new, known and unaltered may not start now; None: it may."""
    if streams.draining:
        return refusal(FailureClass.UNAVAILABLE, "DRAINING", "this executor is shutting down")
    if call.id in ledger.fenced:
        return fenced()
    if call.timeout is not None and call.timeout <= 0:
        return refusal(FailureClass.INVALID_ARGUMENT, "TIMEOUT_INVALID", "its timeout is not above 0")
    if not call.id:
        return refusal(FailureClass.INVALID_ARGUMENT, "CALL_ID_INVALID", "it has no id")
    limited = hosted.limit is not None and hosted.running >= hosted.limit
    if limited or running >= streams.slots or not stream.has_slot(hosted):
        text = f"no slot for {call.tool} on this stream" if running < streams.slots else "all slots are taken"
        return refusal(FailureClass.RATE_LIMITED, "SLOTS_EXHAUSTED", text, retry_after=_RETRY_AFTER)
    if ledger.is_full:
        text = "too many outcomes wait to be acknowledged"
        return refusal(FailureClass.RATE_LIMITED, "OUTCOMES_UNACKNOWLEDGED", text, retry_after=_RETRY_AFTER)
    if stream.outbox.chunk_bytes > _WAITING_CHUNKS:
        text = "too much output waits on this stream to be read"
        return refusal(FailureClass.RATE_LIMITED, "STREAM_UNREAD", text, retry_after=_RETRY_AFTER)
    return None
