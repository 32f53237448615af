"""What happens by itself: a deadline passes, a back-off is over, nobody answers in time. Tokens tell stale timers."""

from orchestrator_svc.domain import adding, events
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.cancelling import cancel_batch
from orchestrator_svc.domain.changes import Changes, Timer, TimerKind
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.settling import Ending, settle
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Effect, Failure, FailureClass, KnownEffect
from orchestrator_svc.domain.unknown import become_unknown, end_look, give_up

DEADLINE_PRINCIPAL = "policy:deadline"
FAULT_PRINCIPAL = "policy:fault"
IDLE_PRINCIPAL = "policy:idle_timeout"


def fire(batch: Batch, changes: Changes, timer: Timer, grace: int) -> None:
    """Does what a timer stands for, unless what it stood for has moved on. `grace`: of cancels, in ns."""
    match timer.kind:
        case TimerKind.DEADLINE:
            if batch.deadline_time == timer.token and not batch.state.finished:
                cancel_batch(batch, changes, DEADLINE_PRINCIPAL, "the batch's deadline has passed", grace)
        case TimerKind.IDLE:
            if batch.state is BatchState.IDLE and batch.idle_end == timer.token:
                adding.close(batch, changes, IDLE_PRINCIPAL)
        case TimerKind.EXPIRY:
            _expire(batch, changes, batch.proposals[timer.ordinal - 1], timer.token)
        case TimerKind.BACKOFF:
            proposal = batch.proposals[timer.ordinal - 1]
            waiting = proposal.state is State.APPROVED and proposal.next_time is not None
            if waiting and len(proposal.attempts) == timer.token:
                batch.make_ready(changes, proposal)
        case TimerKind.GRACE:
            _end_grace(batch, changes, batch.proposals[timer.ordinal - 1], timer.token)
        case TimerKind.RESOLUTION:
            give_up(batch, changes, batch.proposals[timer.ordinal - 1], timer.token)
        case TimerKind.LOOK:
            proposal = batch.proposals[timer.ordinal - 1]
            if proposal.looked_for and proposal.attempts[-1].look_until == timer.token:
                end_look(batch, changes, proposal)
        case TimerKind.PROBE:
            pass  # whom to ask, and when again, is the engine's


def _expire(batch: Batch, changes: Changes, proposal: Proposal, expire_time: int) -> None:
    if proposal.state is not State.PROPOSED or proposal.expire_time != expire_time:
        return
    proposal.revision += 1
    batch.move(changes, proposal, State.EXPIRED)
    changes.emit(proposal, events.ProposalExpired(proposal.revision))
    batch.ended(changes, proposal)


def _end_grace(batch: Batch, changes: Changes, proposal: Proposal, attempts: int) -> None:
    """No answer to a cancel: as a lost executor."""
    if proposal.state is State.RUNNING and proposal.cancel_requested and len(proposal.attempts) == attempts:
        lost(batch, changes, proposal, "CANCEL_UNANSWERED", "the executor did not answer the cancel in time")


def lost(batch: Batch, changes: Changes, proposal: Proposal, reason: str, message: str) -> None:
    """Nobody will say how the running attempt ended: it may have had its effect."""
    failure = Failure(FailureClass.UNAVAILABLE, KnownEffect.POSSIBLE, reason, message)
    settle(batch, changes, proposal, Ending(None, failure))


def abandon(batch: Batch, changes: Changes, message: str) -> None:
    """Our own fault ended the batch: everything that has not ended says so."""
    for proposal in batch.unfinished():
        if proposal.state is State.OUTCOME_UNKNOWN:
            continue
        possible = proposal.state is State.RUNNING and proposal.effect is not Effect.READ
        known = KnownEffect.POSSIBLE if possible else KnownEffect.NONE
        failure = Failure(FailureClass.PERMANENT, known, "ORCHESTRATOR_FAULT", message)
        if possible and proposal.effect is Effect.NON_IDEMPOTENT:
            become_unknown(batch, changes, proposal, failure)
        else:
            batch.fail(changes, proposal, failure)
    adding.close(batch, changes, FAULT_PRINCIPAL)
