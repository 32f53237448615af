"""Attempts: sent, started, on their way, ended; and what becomes of the proposal then."""

from dataclasses import dataclass

from orchestrator_svc.domain import events
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes, Timer, TimerKind
from orchestrator_svc.domain.proposal import Attempt, Proposal, Timing
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.retry import Judgement, Tally, delay, judge, may_retry, tally
from orchestrator_svc.domain.retrying import unskip_after
from orchestrator_svc.domain.tool import Effect, Failure
from orchestrator_svc.domain.unknown import arrive_late, become_unknown, look_after


@dataclass(slots=True)
class Ending:
    """How an attempt ended. Exactly one of `result` (JSON text) and `failure`. Times and durations in ns.

    `over`: its executor says so, and that it is at work no more.
    """

    result: str | None
    failure: Failure | None
    start_time: int | None = None
    executor_queue: int | None = None
    tool: int | None = None
    wire: int | None = None
    over: bool = False


def is_ready(proposal: Proposal) -> bool:
    """Whether it may be sent now. What was made ready earlier may have moved on since."""
    return (
        proposal.state is State.APPROVED
        and proposal.open_dependencies == 0
        and proposal.next_time is None
        and proposal.bound_digest != ""
    )


def dispatch(
    batch: Batch, changes: Changes, proposal: Proposal, executor_id: str, boot_id: str, queue_wait: int
) -> None:
    """An attempt is about to be sent. `queue_wait`: since it was ready, in ns."""
    attempt = Attempt(len(proposal.attempts) + 1, executor_id, boot_id, changes.time, queue_wait)
    proposal.attempts = (*proposal.attempts, attempt)
    proposal.next_time = None
    batch.move(changes, proposal, State.RUNNING)
    changes.emit(proposal, events.AttemptDispatched(executor_id))


def started(changes: Changes, proposal: Proposal, start_time: int) -> None:
    """The tool runs."""
    last = proposal.attempts[-1]
    if proposal.state is State.RUNNING and last.start_time is None:
        proposal.attempts = (*proposal.attempts[:-1], last._replace(start_time=start_time))
        changes.touch(proposal)
        changes.emit(proposal, events.AttemptStarted(start_time))


def progressed(changes: Changes, proposal: Proposal, fraction: float | None, message: str) -> None:
    if proposal.state is State.RUNNING:
        changes.emit(proposal, events.AttemptProgressed(fraction, message))


def chunk_received(changes: Changes, proposal: Proposal, index: int, chunk: str) -> None:
    if proposal.state is State.RUNNING:
        changes.emit(proposal, events.AttemptChunkReceived(index, chunk))


def settle(batch: Batch, changes: Changes, proposal: Proposal, ending: Ending) -> None:
    """The last attempt ended: RUNNING, or late, OUTCOME_UNKNOWN."""
    last, given_up = proposal.attempts[-1], proposal.given_up
    timing = Timing(last.queue_wait, ending.executor_queue, ending.tool, ending.wire)
    start_time = ending.start_time or last.start_time
    attempt = Attempt(
        last.number,
        last.executor_id,
        last.boot_id,
        last.dispatch_time,
        last.queue_wait,
        start_time,
        changes.time,
        ending.failure,
        timing,
        batch.head + 1,
        ending.failure is not None and (ending.over or last.over),
        last.probe,
        last.look_until,
    )
    proposal.attempts = (*proposal.attempts[:-1], attempt)
    if ending.failure is None:
        assert ending.result is not None
        proposal.result, proposal.failure = ending.result, None
        changes.bytes += len(ending.result)
        batch.move(changes, proposal, State.SUCCEEDED)
        changes.emit(proposal, events.ProposalSucceeded(ending.result, start_time, timing))
        if not given_up:
            batch.ended(changes, proposal)
    else:
        _failed(batch, changes, proposal, ending.failure, start_time, timing)
    if given_up and proposal.state in (State.SUCCEEDED, State.APPROVED) and not batch.cancelling:
        unskip_after(batch, changes, proposal)


def arrive(batch: Batch, changes: Changes, proposal: Proposal, number: int, executor_id: str, ending: Ending) -> None:
    """What an executor said of one of its attempts, by whichever way it came, and however often: it settles one that
    is not settled; of one that a person had resolved it is told, and changes nothing."""
    attempt = attempt_at(proposal, number, executor_id)
    if attempt is None or not awaits(proposal, attempt):
        return
    if _unsettled(proposal, attempt):
        settle(batch, changes, proposal, ending)
    else:
        arrive_late(changes, proposal, number, ending.result, ending.failure)


def attempt_at(proposal: Proposal, number: int, executor_id: str) -> Attempt | None:
    """One of its attempts, if that executor has it."""
    attempt = proposal.attempts[number - 1] if 0 < number <= len(proposal.attempts) else None
    return attempt if attempt is not None and attempt.executor_id == executor_id else None


def awaits(proposal: Proposal, attempt: Attempt) -> bool:
    """Whether how that one ended would be news."""
    return _unsettled(proposal, attempt) or (proposal.effect is Effect.NON_IDEMPOTENT and attempt.may_still_run)


def _unsettled(proposal: Proposal, attempt: Attempt) -> bool:
    unsettled = proposal.state in (State.RUNNING, State.OUTCOME_UNKNOWN)
    return unsettled and attempt.number == len(proposal.attempts)


def _failed(
    batch: Batch,
    changes: Changes,
    proposal: Proposal,
    failure: Failure,
    start_time: int | None,
    timing: Timing,
) -> None:
    made = tally(proposal)
    judgement = judge(proposal.effect, failure, made, proposal.retry)
    if (proposal.cancel_requested or batch.cancelling) and judgement is not Judgement.UNKNOWN and may_retry(failure):
        judgement = Judgement.CANCEL
    late, given_up = proposal.state is State.OUTCOME_UNKNOWN, proposal.given_up
    if late and judgement is Judgement.UNKNOWN:
        changes.touch(proposal)
        look_after(changes, proposal)
    elif judgement is Judgement.RETRY:
        _retry(batch, changes, proposal, failure, timing, made)
    elif judgement is Judgement.UNKNOWN:
        become_unknown(batch, changes, proposal, failure)
    elif judgement is Judgement.CANCEL and not late:
        proposal.failure = failure
        batch.move(changes, proposal, State.CANCELLED)
        changes.emit(proposal, events.ProposalCancelled(proposal.operator, proposal.operator_reason))
        batch.ended(changes, proposal)
    else:
        proposal.failure = failure
        batch.move(changes, proposal, State.FAILED)
        changes.emit(proposal, events.ProposalFailed(failure, start_time, timing))
        if not given_up:
            batch.ended(changes, proposal)


def _retry(batch: Batch, changes: Changes, proposal: Proposal, failure: Failure, timing: Timing, made: Tally) -> None:
    number = made.refused if failure.refused else made.counted
    proposal.next_time = changes.time + delay(failure, number, proposal.retry)
    proposal.failure = None  # where it had been unknown; the attempt has its own
    proposal.open_dependencies = 0
    batch.move(changes, proposal, State.APPROVED)
    changes.emit(proposal, events.AttemptRetrying(failure, proposal.next_time, timing))
    changes.timers.append(Timer(proposal.next_time, TimerKind.BACKOFF, proposal.ordinal, len(proposal.attempts)))
