"""Cancelling: what has not been sent is CANCELLED at once; what runs is asked to stop, and its own ending counts."""

from orchestrator_svc.domain import events
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes, Timer, TimerKind
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State


def cancel_batch(batch: Batch, changes: Changes, principal: str, reason: str, grace: int) -> None:
    """All that has not ended; OUTCOME_UNKNOWN stays as it is. A finished batch stays as it is."""
    if batch.state.finished or batch.cancelling:
        return
    batch.cancelling = True
    changes.emit_batch(events.BatchCancelRequested(principal, reason))
    for proposal in batch.unfinished():
        if proposal.state is not State.OUTCOME_UNKNOWN:
            _cancel(batch, changes, proposal, principal, reason, grace)


def cancel_proposal(
    batch: Batch, changes: Changes, proposal: Proposal, principal: str, reason: str, grace: int
) -> None:
    """One that is PROPOSED, APPROVED or RUNNING; those that needed its success are skipped."""
    if proposal.cancel_requested:
        return
    _cancel(batch, changes, proposal, principal, reason, grace)
    if proposal.state is State.CANCELLED:
        batch.ended(changes, proposal)


def _cancel(batch: Batch, changes: Changes, proposal: Proposal, principal: str, reason: str, grace: int) -> None:
    proposal.operator, proposal.operator_reason = principal, reason
    if proposal.state is State.RUNNING:
        proposal.cancel_requested = True
        changes.touch(proposal)
        changes.stops.append(proposal)
        changes.timers.append(Timer(changes.time + grace, TimerKind.GRACE, proposal.ordinal, len(proposal.attempts)))
        return
    proposal.next_time = None
    batch.move(changes, proposal, State.CANCELLED)
    changes.emit(proposal, events.ProposalCancelled(principal, reason))
