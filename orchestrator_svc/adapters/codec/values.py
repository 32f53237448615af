"""The values that several details share, set in place: a message that is built first and then assigned is copied."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.domain.proposal import DecisionRecord, ProposalState, Timing
from orchestrator_svc.domain.tool import Failure

SECOND = 1_000_000_000


def set_time(time: Timestamp, value: int) -> None:
    time.seconds, time.nanos = divmod(value, SECOND)


def set_duration(duration: Duration, value: int) -> None:
    """Seconds and nanos of one sign, as the wire wants them. Zero is written: it is known."""
    if 0 < value < SECOND:
        duration.nanos = value
        return
    seconds, nanos = divmod(abs(value), SECOND)
    if value < 0:
        seconds, nanos = -seconds, -nanos
    duration.SetInParent()
    duration.seconds, duration.nanos = seconds, nanos


def set_failure(message: tool_pb2.Failure, failure: Failure) -> None:
    message.failure_class = tool_pb2.FailureClass.ValueType(failure.failure_class)
    message.known_effect = tool_pb2.KnownEffect.ValueType(failure.known_effect)
    message.reason, message.message = failure.reason, failure.message
    message.refused = failure.refused
    if failure.retry_after is not None:
        set_duration(message.retry_after, failure.retry_after)


def set_timing(message: proposal_pb2.Timing, timing: Timing) -> None:
    queue_wait, executor_queue, tool, wire, record = timing
    if queue_wait is not None:
        set_duration(message.queue_wait, queue_wait)
    if executor_queue is not None:
        set_duration(message.executor_queue, executor_queue)
    if tool is not None:
        set_duration(message.tool, tool)
    if wire is not None:
        set_duration(message.wire, wire)
    if record is not None:
        set_duration(message.record, record)
    message.SetInParent()


def set_decision(message: proposal_pb2.DecisionRecord, decision: DecisionRecord) -> None:
    message.verdict = proposal_pb2.Verdict.ValueType(decision.verdict)
    message.principal, message.message = decision.principal, decision.message
    message.digest = decision.digest
    message.edited, message.accept_unbound = decision.edited, decision.accept_unbound
    message.soft_confirmed = decision.soft_confirmed
    set_time(message.decide_time, decision.time)


def set_counts(message: batch_pb2.Counts, counts: tuple[int, ...]) -> None:
    message.SetInParent()
    message.total = sum(counts)
    message.proposed = counts[ProposalState.PROPOSED]
    message.approved = counts[ProposalState.APPROVED]
    message.running = counts[ProposalState.RUNNING]
    message.succeeded = counts[ProposalState.SUCCEEDED]
    message.failed = counts[ProposalState.FAILED]
    message.rejected = counts[ProposalState.REJECTED]
    message.expired = counts[ProposalState.EXPIRED]
    message.skipped = counts[ProposalState.SKIPPED]
    message.cancelled = counts[ProposalState.CANCELLED]
    message.outcome_unknown = counts[ProposalState.OUTCOME_UNKNOWN]
