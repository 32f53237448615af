"""Whether a failed attempt is made again, and after what delay: by its class, and by what is known of its effect."""

from enum import Enum
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from tenacity import stop_after_attempt, wait_random_exponential

from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.tool import Effect, Failure, FailureClass, KnownEffect, RetryPolicy

MAX_REFUSED = 20
_SECOND = 1_000_000_000
_AGAIN = frozenset({FailureClass.TRANSIENT, FailureClass.RATE_LIMITED, FailureClass.UNAVAILABLE, FailureClass.TIMEOUT})


class Judgement(Enum):
    """What becomes of a proposal whose attempt failed."""

    RETRY = "retry"
    FAIL = "fail"
    CANCEL = "cancel"
    UNKNOWN = "unknown"


class Tally(NamedTuple):
    """Attempts so far: those that the policy counts, and refusals. What a restart cut off is neither."""

    counted: int
    refused: int


def tally(proposal: Proposal) -> Tally:
    """Of those since it was begun anew by hand. One that a restart cut off never was settled: it has no timing."""
    settled = [a for a in proposal.attempts[proposal.uncounted :] if a.timing is not None]
    refused = sum(a.failure is not None and a.failure.refused for a in settled)
    return Tally(len(settled) - refused, refused)


def judge(effect: Effect, failure: Failure, made: Tally, policy: RetryPolicy) -> Judgement:
    """`made`: with this one."""
    if failure.known_effect is KnownEffect.DONE:
        return Judgement.FAIL
    if effect is Effect.NON_IDEMPOTENT and failure.known_effect is KnownEffect.POSSIBLE:
        return Judgement.UNKNOWN
    if failure.failure_class is FailureClass.CANCELLED:
        return Judgement.CANCEL
    if failure.failure_class not in _AGAIN:
        return Judgement.FAIL
    if failure.refused:
        return Judgement.RETRY if made.refused < MAX_REFUSED else Judgement.FAIL
    over = stop_after_attempt(policy.max_attempts)(_state(made.counted))
    return Judgement.FAIL if over else Judgement.RETRY


def may_retry(failure: Failure) -> bool:
    """Whether its class is one that is tried again."""
    return failure.failure_class in _AGAIN and failure.known_effect is not KnownEffect.DONE


def delay(failure: Failure, number: int, policy: RetryPolicy) -> int:
    """Time to the next attempt, in ns. `number`: of the failed attempts of its kind (counted or refused), from 1."""
    initial = policy.initial_delay / _SECOND
    if failure.refused:
        initial = min(initial, 0.05)
    wait = wait_random_exponential(multiplier=initial, max=policy.max_delay / _SECOND)
    drawn = int(wait(_state(number)) * _SECOND)
    return max(drawn, failure.retry_after or 0)


def _state(number: int) -> Any:
    """tenacity's strategies look at the attempt's number alone; the loop around them is the engine's."""
    return cast(Any, SimpleNamespace(attempt_number=number))
