"""One writer a detail: it fills that detail's place in the event's message."""

from collections.abc import Callable
from typing import Any, TypeVar

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import event_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.adapters.codec.values import (
    set_counts,
    set_decision,
    set_failure,
    set_time,
    set_timing,
)
from orchestrator_svc.domain import events

D = TypeVar("D", bound=events.Detail)
WRITERS: dict[type[events.Detail], Callable[[pb.Event, Any], None]] = {}


def _writes(detail: type[D]) -> Callable[[Callable[[pb.Event, D], None]], Callable[[pb.Event, D], None]]:
    def register(writer: Callable[[pb.Event, D], None]) -> Callable[[pb.Event, D], None]:
        WRITERS[detail] = writer
        return writer

    return register


@_writes(events.BatchSubmitted)
def batch_submitted(event: pb.Event, detail: events.BatchSubmitted) -> None:
    message = event.batch_submitted
    message.SetInParent()
    message.session_id, message.name, message.total = detail.session_id, detail.name, detail.total
    message.open, message.trace_id = detail.open, detail.trace_id
    message.template, message.principal = detail.template, detail.principal


@_writes(events.ProposalAdded)
def proposal_added(event: pb.Event, detail: events.ProposalAdded) -> None:
    message = event.proposal_added
    ordinal, tool, version, tier, effect, title, depends_on, failure = detail
    message.ordinal, message.tool, message.version = ordinal, tool, version
    message.tier = tool_pb2.Tier.ValueType(tier)
    message.effect = tool_pb2.Effect.ValueType(effect)
    if title:
        message.title = title
    if depends_on:
        message.depends_on.extend(depends_on)
    if failure is not None:
        set_failure(message.failure, failure)


@_writes(events.DecisionRequested)
def decision_requested(event: pb.Event, detail: events.DecisionRequested) -> None:
    message = event.decision_requested
    message.tier = tool_pb2.Tier.ValueType(detail.tier)
    message.digest, message.revision, message.bound = detail.digest, detail.revision, detail.bound
    set_time(message.expire_time, detail.expire_time)


@_writes(events.ProposalDecided)
def proposal_decided(event: pb.Event, detail: events.ProposalDecided) -> None:
    message = event.proposal_decided
    message.revision = detail.revision
    set_decision(message.decision, detail.decision)


@_writes(events.ProposalExpired)
def proposal_expired(event: pb.Event, detail: events.ProposalExpired) -> None:
    event.proposal_expired.revision = detail.revision


@_writes(events.ProposalBound)
def proposal_bound(event: pb.Event, detail: events.ProposalBound) -> None:
    message = event.proposal_bound
    message.bound_digest, message.revision = detail.bound_digest, detail.revision
    message.missing_inputs.extend(detail.missing_inputs)


@_writes(events.AttemptDispatched)
def attempt_dispatched(event: pb.Event, detail: events.AttemptDispatched) -> None:
    event.attempt_dispatched.executor_id = detail.executor_id


@_writes(events.AttemptStarted)
def attempt_started(event: pb.Event, detail: events.AttemptStarted) -> None:
    set_time(event.attempt_started.start_time, detail.start_time)


@_writes(events.AttemptProgressed)
def attempt_progressed(event: pb.Event, detail: events.AttemptProgressed) -> None:
    message = event.attempt_progressed
    message.SetInParent()
    if detail.fraction is not None:
        message.fraction = detail.fraction
    message.message = detail.message


@_writes(events.AttemptChunkReceived)
def attempt_chunk_received(event: pb.Event, detail: events.AttemptChunkReceived) -> None:
    message = event.attempt_chunk_received
    message.SetInParent()
    message.index, message.chunk_json = detail.number, detail.chunk


@_writes(events.AttemptRetrying)
def attempt_retrying(event: pb.Event, detail: events.AttemptRetrying) -> None:
    message = event.attempt_retrying
    set_failure(message.failure, detail.failure)
    set_time(message.next_time, detail.next_time)
    if detail.timing is not None:
        set_timing(message.timing, detail.timing)


@_writes(events.ProposalSucceeded)
def proposal_succeeded(event: pb.Event, detail: events.ProposalSucceeded) -> None:
    message = event.proposal_succeeded
    result, start_time, timing = detail
    message.result_json = result
    if start_time is not None:
        set_time(message.start_time, start_time)
    if timing is not None:
        set_timing(message.timing, timing)


@_writes(events.ProposalFailed)
def proposal_failed(event: pb.Event, detail: events.ProposalFailed) -> None:
    message = event.proposal_failed
    set_failure(message.failure, detail.failure)
    if detail.start_time is not None:
        set_time(message.start_time, detail.start_time)
    if detail.timing is not None:
        set_timing(message.timing, detail.timing)


@_writes(events.ProposalSkipped)
def proposal_skipped(event: pb.Event, detail: events.ProposalSkipped) -> None:
    event.proposal_skipped.because = detail.because


@_writes(events.ProposalCancelled)
def proposal_cancelled(event: pb.Event, detail: events.ProposalCancelled) -> None:
    message = event.proposal_cancelled
    message.principal, message.reason = detail.principal, detail.reason


@_writes(events.OutcomeBecameUnknown)
def outcome_unknown(event: pb.Event, detail: events.OutcomeBecameUnknown) -> None:
    set_failure(event.outcome_unknown.failure, detail.failure)


@_writes(events.OutcomeProbed)
def outcome_probed(event: pb.Event, detail: events.OutcomeProbed) -> None:
    message = event.outcome_probed
    message.finding, message.message = proposal_pb2.ProbeFinding.ValueType(detail.finding), detail.message


@_writes(events.OutcomeGivenUp)
def outcome_given_up(event: pb.Event, detail: events.OutcomeGivenUp) -> None:
    set_time(event.outcome_given_up.deadline_time, detail.deadline)


@_writes(events.OutcomeArrivedLate)
def outcome_arrived_late(event: pb.Event, detail: events.OutcomeArrivedLate) -> None:
    message = event.outcome_arrived_late
    if detail.failure is not None:
        set_failure(message.failure, detail.failure)
    else:
        message.result_json = detail.result or ""


@_writes(events.ProposalResolved)
def proposal_resolved(event: pb.Event, detail: events.ProposalResolved) -> None:
    message = event.proposal_resolved
    message.resolution = pb.Resolution.ValueType(detail.resolution)
    message.principal, message.reason = detail.principal, detail.reason
    message.result_json = detail.result
    message.earlier_may_still_run = detail.earlier_may_still_run


@_writes(events.ProposalRetried)
def proposal_retried(event: pb.Event, detail: events.ProposalRetried) -> None:
    message = event.proposal_retried
    message.principal, message.reason, message.revision = detail


@_writes(events.ProposalUnskipped)
def proposal_unskipped(event: pb.Event, detail: events.ProposalUnskipped) -> None:
    event.proposal_unskipped.revision = detail.revision


@_writes(events.BatchCancelRequested)
def batch_cancel_requested(event: pb.Event, detail: events.BatchCancelRequested) -> None:
    message = event.batch_cancel_requested
    message.SetInParent()
    message.principal, message.reason = detail.principal, detail.reason


@_writes(events.BatchClosed)
def batch_closed(event: pb.Event, detail: events.BatchClosed) -> None:
    event.batch_closed.principal = detail.principal


@_writes(events.BatchStateChanged)
def batch_state_changed(event: pb.Event, detail: events.BatchStateChanged) -> None:
    message = event.batch_state_changed
    message.state = batch_pb2.BatchState.ValueType(detail.state)
    if detail.decisions or detail.resolutions:
        message.blocked_on.decisions = detail.decisions
        message.blocked_on.resolutions = detail.resolutions


@_writes(events.BatchFinished)
def batch_finished(event: pb.Event, detail: events.BatchFinished) -> None:
    message = event.batch_finished
    message.state = batch_pb2.BatchState.ValueType(detail.state)
    set_counts(message.counts, detail.counts)
    message.missing.extend(detail.missing)
