"""Outcomes that nobody knows: how they become so, what is to be done about them, and when nobody waits any more."""

from orchestrator_svc.domain import events
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes, Timer, TimerKind
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import Failure

FIRST_LOOK = 5_000_000_000
"""As long (ns) nobody is asked what became of it, where somebody is there who can look."""


def become_unknown(batch: Batch, changes: Changes, proposal: Proposal, failure: Failure) -> None:
    """Its last attempt may have had its effect. From here on it is looked for, up to the resolution deadline."""
    proposal.failure = failure
    if batch.resolution_deadline is not None:
        proposal.next_time = changes.time + batch.resolution_deadline
    batch.move(changes, proposal, State.OUTCOME_UNKNOWN)
    changes.emit(proposal, events.OutcomeBecameUnknown(failure))
    if not batch.cancelling and batch.judge.can_look(proposal.tool):
        _set_look(proposal, changes.time + FIRST_LOOK)
        batch.looking += 1
    look_after(changes, proposal)


def end_look(batch: Batch, changes: Changes, proposal: Proposal) -> None:
    """The first look is awaited no more: it was made, or its time is over."""
    if proposal.looked_for:
        batch.looking -= 1
        _set_look(proposal, None)
        changes.touch(proposal)


def _set_look(proposal: Proposal, until: int | None) -> None:
    proposal.attempts = (*proposal.attempts[:-1], proposal.attempts[-1]._replace(look_until=until))


def look_after(changes: Changes, proposal: Proposal) -> None:
    """To be called anew after a start, and when more became known of it: it is looked for at once."""
    changes.timers.append(Timer(changes.time, TimerKind.PROBE, proposal.ordinal, len(proposal.attempts)))
    look_until = proposal.attempts[-1].look_until
    if look_until is not None:
        changes.timers.append(Timer(look_until, TimerKind.LOOK, proposal.ordinal, look_until))
    if proposal.next_time is not None:
        due = proposal.next_time
        changes.timers.append(Timer(due, TimerKind.RESOLUTION, proposal.ordinal, due))


def give_up(batch: Batch, changes: Changes, proposal: Proposal, deadline: int) -> None:
    """Nobody said in time what became of it: it stays as it is, and nobody waits for it any more."""
    if proposal.state is not State.OUTCOME_UNKNOWN or proposal.next_time != deadline:
        return
    end_look(batch, changes, proposal)
    proposal.next_time, proposal.finish_time = None, changes.time
    batch.given_up += 1
    changes.touch(proposal)
    changes.emit(proposal, events.OutcomeGivenUp(deadline))
    batch.ended(changes, proposal)


def arrive_late(changes: Changes, proposal: Proposal, number: int, result: str | None, failure: Failure | None) -> None:
    """How an attempt ended that a person had resolved. It is over; nothing else changes."""
    attempt = proposal.attempts[number - 1]._replace(over=True)
    proposal.attempts = (*proposal.attempts[: number - 1], attempt, *proposal.attempts[number:])
    changes.touch(proposal)
    changes.emit(proposal, events.OutcomeArrivedLate(result, failure), attempt=number)
