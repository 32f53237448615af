"""What goes on after a start: back-offs and deadlines stand where they stood; RUNNING goes by its effect."""

from orchestrator_svc.domain import events
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes, Timer, TimerKind
from orchestrator_svc.domain.firing import lost
from orchestrator_svc.domain.proposal import Attempt, Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Effect, Failure, FailureClass, KnownEffect
from orchestrator_svc.domain.unknown import look_after

REASON = "ORCHESTRATOR_RESTARTED"
MESSAGE = "the orchestrator was restarted while it ran"


def recover(batch: Batch, changes: Changes, grace: int) -> list[tuple[Proposal, Attempt]]:
    """Returns the attempts that an executor may know of: the ones that only it can tell about, the ones that run again,
    so that what it still holds of them can be let go, and those that a person resolved. `grace`: of cancels, in ns.

    One that was asked to stop is asked anew, with the grace before it: its executor's word counts, whatever its effect.
    """
    sent: list[Proposal] = []
    resolved = _resolved(batch)
    for proposal in batch.unfinished():
        if proposal.state is State.PROPOSED and proposal.expire_time is not None:
            timer = Timer(proposal.expire_time, TimerKind.EXPIRY, proposal.ordinal, proposal.expire_time)
            changes.timers.append(timer)
        elif proposal.state is State.APPROVED and proposal.open_dependencies == 0:
            _go_on(batch, changes, proposal)
        elif proposal.state is State.RUNNING and proposal.cancel_requested:
            due = changes.time + grace
            changes.timers.append(Timer(due, TimerKind.GRACE, proposal.ordinal, len(proposal.attempts)))
            sent.append(proposal)
        elif proposal.state is State.RUNNING and proposal.effect is not Effect.NON_IDEMPOTENT:
            _run_again(batch, changes, proposal)
            sent.append(proposal)
        elif proposal.state is State.RUNNING:
            sent.append(proposal)
        elif proposal.state is State.OUTCOME_UNKNOWN:
            if not proposal.attempts[-1].over:  # else it has said all
                sent.append(proposal)
            look_after(changes, proposal)
    batch.start_deadline(changes)
    if batch.state is BatchState.IDLE:
        batch.idle_end = batch.idle_end or changes.time
        changes.timers.append(Timer(batch.idle_end, TimerKind.IDLE, 0, batch.idle_end))
    return [*((proposal, proposal.attempts[-1]) for proposal in sent), *resolved]


def may_be_heard_of(batch: Batch) -> bool:
    """Of a finished one: whether there is anything left that is asked about, or looked for."""
    return batch.counts[State.OUTCOME_UNKNOWN] > 0 or bool(_resolved(batch))


def _resolved(batch: Batch) -> list[tuple[Proposal, Attempt]]:
    """Attempts whose executors have not said yet that they are over, and whose proposals do not wait for that."""
    return [
        (proposal, attempt)
        for proposal in batch.proposals
        if proposal.effect is Effect.NON_IDEMPOTENT and proposal.attempts
        for attempt in proposal.attempts
        if attempt.may_still_run
        and not (proposal.state is State.OUTCOME_UNKNOWN and attempt.number == len(proposal.attempts))
    ]


def _go_on(batch: Batch, changes: Changes, proposal: Proposal) -> None:
    if proposal.next_time is None:
        batch.make_ready(changes, proposal)
    else:
        timer = Timer(proposal.next_time, TimerKind.BACKOFF, proposal.ordinal, len(proposal.attempts))
        changes.timers.append(timer)


def _run_again(batch: Batch, changes: Changes, proposal: Proposal) -> None:
    """The attempt was cut off by us: it does not count against the policy."""
    if batch.cancelling:
        lost(batch, changes, proposal, REASON, MESSAGE)
        return
    failure = Failure(FailureClass.UNAVAILABLE, KnownEffect.POSSIBLE, REASON, MESSAGE)
    last = proposal.attempts[-1]
    proposal.attempts = (*proposal.attempts[:-1], last._replace(failure=failure, finish_time=changes.time))
    batch.move(changes, proposal, State.APPROVED)
    changes.emit(proposal, events.AttemptRetrying(failure, changes.time, None))
    batch.make_ready(changes, proposal)
