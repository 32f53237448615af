"""The observer that makes spans and metrics of committed changes. What a span says stands in `tracing`."""

import logging
from collections.abc import Callable, Sequence

from orchestrator_svc.adapters.observer import tracing
from orchestrator_svc.adapters.observer.sampling import Sampler
from orchestrator_svc.domain import events
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.events import Event
from orchestrator_svc.domain.proposal import Attempt, Proposal, ProposalRecord, ProposalState, Verdict
from shared.kernel.clock import Clock
from shared.runtime.telemetry.meters import Meters
from shared.runtime.telemetry.spans import Spans

_log = logging.getLogger(__name__)
SAMPLED_PER_SECOND = 500.0
_SECOND = 1e9


class TelemetryObserver:
    """Implements `Observer`. `sampled_per_second`: proposals with spans, in batches of more than 100."""

    def __init__(
        self, spans: Spans, meters: Meters, clock: Clock, sampled_per_second: float = SAMPLED_PER_SECOND
    ) -> None:
        self._spans = spans
        self._sampler = Sampler(clock, sampled_per_second)
        self._running: dict[str, int] = {}
        self._in_flight = meters.gauge("greenlight.in_flight", "{call}", "Calls that are running")
        self._durations = meters.histogram(
            "gen_ai.execute_tool.duration",
            "s",
            "From the first attempt's dispatch to the end of the proposal",
            ("gen_ai.tool.name", "error.type"),
        )
        self._queue_waits = meters.histogram(
            "greenlight.queue_wait", "s", "From ready to dispatch, each attempt", ("gen_ai.tool.name",)
        )
        self._approval_waits = meters.histogram(
            "greenlight.approval_wait", "s", "From asked to decided or expired", ("greenlight.decision",)
        )
        self._attempts = meters.counter(
            "greenlight.attempts", "{attempt}", "Attempts that ended", ("gen_ai.tool.name", "error.type")
        )
        self._batches = meters.counter(
            "greenlight.batches", "{batch}", "Batches that finished", ("greenlight.batch.state",)
        )

        self._handlers: dict[type, Callable[[Changes, Event], None]] = {
            events.ProposalDecided: self._on_decided,
            events.ProposalExpired: self._on_expired,
            events.AttemptRetrying: self._on_attempt_ended,
            events.OutcomeBecameUnknown: self._on_attempt_ended,
            events.ProposalSucceeded: self._on_ended,
            events.ProposalFailed: self._on_ended,
            events.ProposalCancelled: self._on_ended,
            events.ProposalSkipped: self._on_ended,
            events.ProposalResolved: self._on_resolved,
            events.BatchFinished: self._on_batch_finished,
        }

    def dispatching(self, batch: Batch, proposal: Proposal) -> bytes:
        if not batch.trace_id or not self._sampler.decide(batch, proposal):
            return b""
        return tracing.attempt_span_id(batch, batch.proposal_id(proposal), len(proposal.attempts))

    def committed(self, changes: Sequence[Changes]) -> None:
        for change in changes:
            try:
                self._observe(change)
            except Exception:  # whatever is wrong here, the engine's work must not suffer
                _log.exception("telemetry of batch %s has failed", change.batch.id)

    def _observe(self, change: Changes) -> None:
        self._count_running(change)
        handlers = self._handlers
        for event in change.events:
            handle = handlers.get(type(event.detail))
            if handle is not None:
                handle(change, event)

    def _count_running(self, change: Changes) -> None:
        assert change.header is not None
        batch_id, running = change.batch.id, change.header.counts[ProposalState.RUNNING]
        self._in_flight.value += running - self._running.get(batch_id, 0)
        if running:
            self._running[batch_id] = running
        else:
            self._running.pop(batch_id, None)

    def _on_decided(self, change: Changes, event: Event) -> None:
        assert isinstance(event.detail, events.ProposalDecided)
        decision = event.detail.decision
        self._record_approval(change, event, "approved" if decision.verdict is Verdict.APPROVE else "rejected")
        if decision.verdict is Verdict.REJECT:
            self._on_ended(change, event)

    def _on_expired(self, change: Changes, event: Event) -> None:
        self._record_approval(change, event, "expired")
        self._on_ended(change, event)

    def _record_approval(self, change: Changes, event: Event, decision: str) -> None:
        _, record = _find(change, event)
        if record is not None and record.asked_time is not None:
            self._approval_waits.record((event.time - record.asked_time) / _SECOND, decision)

    def _on_attempt_ended(self, change: Changes, event: Event) -> None:
        proposal, record = _find(change, event)
        if record is not None:
            self._end_attempt(change.batch, proposal, record.attempts[event.attempt - 1])

    def _on_resolved(self, change: Changes, event: Event) -> None:
        if event.state in (ProposalState.SUCCEEDED, ProposalState.FAILED):
            self._on_ended(change, event)

    def _on_ended(self, change: Changes, event: Event) -> None:
        proposal, record = _find(change, event)
        if record is None:
            return
        batch = change.batch
        if record.attempts:
            last = record.attempts[-1]
            if last.finish_time == event.time:
                self._end_attempt(batch, proposal, last)
            duration = (event.time - record.attempts[0].dispatch_time) / _SECOND
            failure = record.failure
            self._durations.record(duration, proposal.tool.name, failure.failure_class.name if failure else "")
        if batch.trace_id and self._sampler.chosen(batch, proposal.ordinal):
            tracing.add_proposal(self._spans, batch, proposal, record, event)

    def _end_attempt(self, batch: Batch, proposal: Proposal, attempt: Attempt) -> None:
        tool, failure = proposal.tool.name, attempt.failure
        self._attempts.add(1, tool, failure.failure_class.name if failure else "")
        self._queue_waits.record(attempt.queue_wait / _SECOND, tool)
        if batch.trace_id and self._sampler.chosen(batch, proposal.ordinal):
            tracing.add_attempt(self._spans, batch, proposal, attempt)

    def _on_batch_finished(self, change: Changes, event: Event) -> None:
        assert isinstance(event.detail, events.BatchFinished)
        self._batches.add(1, event.detail.state.name)
        if change.batch.trace_id:
            tracing.add_batch(self._spans, change.batch, event.detail, event.time)
        self._sampler.forget(change.batch.id)


def _find(change: Changes, event: Event) -> tuple[Proposal, ProposalRecord | None]:
    """The record is the one that was committed with the event."""
    proposal = change.batch.by_key[event.key]
    record = change.records.get(proposal.ordinal)
    if record is None:
        record = next((added for owner, added in change.added if owner is proposal), None)
    return proposal, record
