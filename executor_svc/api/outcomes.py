"""Messages out: what a stream's outbox holds, as one response. The hot half of the mapping, together with `calls`."""

from google.protobuf.duration_pb2 import Duration

from executor_svc.application.outbox import (
    AcceptedEntry,
    AttachEntry,
    AttachState,
    ChunkEntry,
    Parcel,
    ProbeEntry,
    ProgressEntry,
    ReminderEntry,
)
from executor_svc.application.streams import Stream
from executor_svc.domain.outcome import Failure, FailureClass, KnownEffect, Outcome
from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.tool.v1 import tool_pb2

_SECOND = 1_000_000_000

_CLASSES = {
    FailureClass.INVALID_ARGUMENT: tool_pb2.FAILURE_CLASS_INVALID_ARGUMENT,
    FailureClass.PERMISSION: tool_pb2.FAILURE_CLASS_PERMISSION,
    FailureClass.PERMANENT: tool_pb2.FAILURE_CLASS_PERMANENT,
    FailureClass.TRANSIENT: tool_pb2.FAILURE_CLASS_TRANSIENT,
    FailureClass.RATE_LIMITED: tool_pb2.FAILURE_CLASS_RATE_LIMITED,
    FailureClass.UNAVAILABLE: tool_pb2.FAILURE_CLASS_UNAVAILABLE,
    FailureClass.TIMEOUT: tool_pb2.FAILURE_CLASS_TIMEOUT,
    FailureClass.CANCELLED: tool_pb2.FAILURE_CLASS_CANCELLED,
}
_EFFECTS = {
    KnownEffect.NONE: tool_pb2.KNOWN_EFFECT_NONE,
    KnownEffect.POSSIBLE: tool_pb2.KNOWN_EFFECT_POSSIBLE,
    KnownEffect.DONE: tool_pb2.KNOWN_EFFECT_DONE,
}
_STATES = {
    AttachState.RUNNING: pb.ATTACH_STATE_RUNNING,
    AttachState.ENDED: pb.ATTACH_STATE_ENDED,
    AttachState.NEVER_SEEN: pb.ATTACH_STATE_NEVER_SEEN,
    AttachState.CANNOT_SAY: pb.ATTACH_STATE_CANNOT_SAY,
}


def response_of(parcel: Parcel, response: pb.ExecuteResponse) -> None:
    """Adds the parcel's entries to the response."""
    for accepted in parcel.accepted:
        _add_accepted(response, accepted)
    add_outcome = response.outcomes.add
    for entry in parcel.entries:
        if isinstance(entry, Outcome):
            fill_outcome(add_outcome(), entry)
        elif isinstance(entry, ChunkEntry):
            response.chunks.add(call_id=entry.call_id, index=entry.index, chunk_json=entry.text.decode())
        elif isinstance(entry, ProgressEntry):
            response.progress.add(call_id=entry.call_id, fraction=entry.fraction, message=entry.message)
        elif isinstance(entry, ProbeEntry):
            _add_probe(response, entry)
        elif isinstance(entry, ReminderEntry):
            fill_outcome(response.reminders.add(tenant=entry.tenant).outcome, entry.outcome)
        else:
            _add_attach(response, entry)


def fill_outcome(message: pb.Outcome, outcome: Outcome) -> None:
    # Field by field: to build the inner messages and hand them to a constructor takes three times as long.
    message.call_id = outcome.call_id
    if outcome.failure is None:
        # UTF-8 bytes are taken as text; to decode them first would only cost.
        message.result_json = outcome.result  # pyright: ignore[reportAttributeAccessIssue]
    else:
        _fill_failure(message.failure, outcome.failure)
    if outcome.start_ns:
        start = message.start_time
        start.seconds, start.nanos = divmod(outcome.start_ns, _SECOND)
        _fill_duration(message.run_duration, outcome.run_seconds)
    _fill_duration(message.queue_duration, outcome.queue_seconds)
    if outcome.position:
        message.journal_position = outcome.position
    if outcome.still_running:
        message.still_running = True


def fill_slots(message: pb.SlotGrant, stream: Stream) -> None:
    message.total = stream.grant
    for (tool, version), total in stream.tool_grant.items():
        message.tools.add(tool=tool, version=version, total=total)


def _fill_failure(message: tool_pb2.Failure, failure: Failure) -> None:
    message.failure_class = _CLASSES[failure.failure_class]
    message.known_effect = _EFFECTS[failure.effect]
    message.reason = failure.reason
    message.message = failure.message
    message.refused = failure.refused
    if failure.retry_after is not None:
        _fill_duration(message.retry_after, failure.retry_after)


def _fill_duration(message: Duration, seconds: float) -> None:
    whole = int(seconds)
    # Zero, too, is to be there.
    message.nanos = int((seconds - whole) * _SECOND)
    if whole:
        message.seconds = whole


def _add_accepted(response: pb.ExecuteResponse, entry: AcceptedEntry) -> None:
    accepted = response.accepted.add(call_id=entry.call_id, journal_position=entry.position)
    accepted.start_time.seconds, accepted.start_time.nanos = divmod(entry.start_ns, _SECOND)


def _add_attach(response: pb.ExecuteResponse, entry: AttachEntry) -> None:
    response.attach_answers.add(call_id=entry.call_id, state=_STATES[entry.state])


def _add_probe(response: pb.ExecuteResponse, entry: ProbeEntry) -> None:
    answer = response.probe_answers.add(call_id=entry.call_id, still_running=entry.still_running, over=entry.over)
    if entry.problem or entry.result is None:
        answer.state, answer.message = pb.PROBE_STATE_FAILED, entry.problem
    elif entry.result:
        answer.state, answer.result_json = pb.PROBE_STATE_FOUND, entry.result.decode()
    else:
        answer.state = pb.PROBE_STATE_NOT_FOUND
