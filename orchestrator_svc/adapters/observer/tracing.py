"""What the spans of a batch say, and how they hang together.

invoke_workflow {batch}
└── execute_tool {tool}        one a proposal, over all its attempts
    ├── approval_wait          from asked to decided
    ├── queue_wait             from ready to sent, one an attempt
    └── attempt                as sent; the executor's spans are below it
"""

from orchestrator_svc.domain import events
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.events import Event
from orchestrator_svc.domain.proposal import Attempt, Proposal, ProposalRecord, ProposalState, Verdict
from orchestrator_svc.domain.states import BatchState
from shared.runtime.telemetry.ids import derive_span_id
from shared.runtime.telemetry.spans import CLIENT, Spans

_EXECUTE = "greenlight.executor.v1.ExecutorService/Execute"
_BATCH_ERRORS = frozenset({BatchState.FAILED})
_ERRORS = frozenset({ProposalState.FAILED, ProposalState.EXPIRED, ProposalState.OUTCOME_UNKNOWN})


def batch_span_id(batch: Batch) -> bytes:
    return derive_span_id(batch.trace_id, batch.id, "batch")


def proposal_span_id(batch: Batch, subject: str) -> bytes:
    return derive_span_id(batch.trace_id, subject, "proposal")


def attempt_span_id(batch: Batch, subject: str, number: int) -> bytes:
    return derive_span_id(batch.trace_id, subject, "attempt", number)


def add_batch(spans: Spans, batch: Batch, finished: events.BatchFinished, time: int) -> None:
    name = batch.name or batch.template
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.conversation.id": batch.session_id,
        "greenlight.tenant": batch.tenant,
        "greenlight.batch.id": batch.id,
        "greenlight.batch.state": finished.state.name,
        "greenlight.batch.proposals": sum(finished.counts),
    }
    if name:
        attributes["gen_ai.workflow.name"] = name
    error = finished.state.name if finished.state in _BATCH_ERRORS else None
    if error:
        attributes["error.type"] = error
    spans.add(
        f"invoke_workflow {name}".rstrip(),
        batch.trace_id,
        batch_span_id(batch),
        bytes.fromhex(batch.trace_parent),
        batch.create_time,
        time,
        attributes,
        error=error,
        remote_parent=bool(batch.trace_parent),
    )


def add_proposal(spans: Spans, batch: Batch, proposal: Proposal, record: ProposalRecord, event: Event) -> None:
    """At its end, with the wait for its decision, if there was one."""
    subject = batch.proposal_id(proposal)
    span_id = proposal_span_id(batch, subject)
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": proposal.tool.name,
        "gen_ai.tool.call.id": subject,
        "gen_ai.tool.type": "function",
        "greenlight.tool.version": proposal.tool.version,
        "greenlight.tier": proposal.tier.name,
        "greenlight.effect": proposal.effect.name,
        "greenlight.state": record.state.name,
        "greenlight.attempts": len(record.attempts),
    }
    if proposal.agent:
        attributes["gen_ai.agent.name"] = proposal.agent
    if record.skipped_because and record.state is ProposalState.SKIPPED:
        attributes["greenlight.skipped_because"] = record.skipped_because
    error = None
    if record.state in _ERRORS:
        failure = record.failure
        attributes["error.type"] = failure.reason if failure else record.state.name
        error = failure.reason if failure else ""
    start = min(proposal.create_time, event.time)
    name = f"execute_tool {proposal.tool.name}"
    spans.add(name, batch.trace_id, span_id, batch_span_id(batch), start, event.time, attributes, error=error)
    if record.asked_time is not None:
        _add_approval_wait(spans, batch, subject, record, record.asked_time, event.time)


def _add_approval_wait(
    spans: Spans, batch: Batch, subject: str, record: ProposalRecord, asked_time: int, end: int
) -> None:
    attributes: dict[str, str | int] = {}
    last = record.decisions[-1] if record.decisions else None
    if last is not None and last.time >= asked_time:
        end = last.time
        attributes["greenlight.decision"] = "approved" if last.verdict is Verdict.APPROVE else "rejected"
        attributes["greenlight.soft_confirmed"] = last.soft_confirmed
    elif record.state is ProposalState.EXPIRED:
        attributes["greenlight.decision"] = "expired"
    spans.add(
        "approval_wait",
        batch.trace_id,
        derive_span_id(batch.trace_id, subject, "approval", len(record.decisions)),
        proposal_span_id(batch, subject),
        asked_time,
        end,
        attributes,
    )


def add_attempt(spans: Spans, batch: Batch, proposal: Proposal, attempt: Attempt) -> None:
    """At its end, with the wait before it."""
    subject = batch.proposal_id(proposal)
    parent, number = proposal_span_id(batch, subject), attempt.number
    sent = attempt.dispatch_time
    spans.add(
        "queue_wait",
        batch.trace_id,
        derive_span_id(batch.trace_id, subject, "queue", number),
        parent,
        sent - attempt.queue_wait,
        sent,
        {"attempt.number": number},
    )
    attributes: dict[str, str | int] = {
        "attempt.number": number,
        "gen_ai.tool.name": proposal.tool.name,
        "rpc.system.name": "grpc",
        "rpc.method": _EXECUTE,
        "greenlight.executor.id": attempt.executor_id,
    }
    failure = attempt.failure
    if failure is not None:
        attributes["error.type"] = failure.reason
        attributes["greenlight.failure_class"] = failure.failure_class.name
        attributes["greenlight.known_effect"] = failure.known_effect.name
    spans.add(
        "attempt",
        batch.trace_id,
        attempt_span_id(batch, subject, number),
        parent,
        sent,
        attempt.finish_time or sent,
        attributes,
        kind=CLIENT,
        error=failure.reason if failure else None,
    )
