"""What becomes of a failed attempt: effect x class x what is known of the effect; and when the next one is made."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_svc.domain.retry import MAX_REFUSED, Judgement, Tally, delay, judge
from orchestrator_svc.domain.tool import Effect, Failure, FailureClass, KnownEffect, RetryPolicy

POLICY = RetryPolicy(3, 2_000_000_000, 30_000_000_000)
AGAIN = {FailureClass.TRANSIENT, FailureClass.RATE_LIMITED, FailureClass.UNAVAILABLE, FailureClass.TIMEOUT}
EVERY = list(itertools.product(Effect, FailureClass, KnownEffect))


def failure(failure_class: FailureClass, known: KnownEffect, *, refused: bool = False, after: int = 0) -> Failure:
    return Failure(failure_class, known, "R", "m", after or None, refused)


@pytest.mark.parametrize(("effect", "failure_class", "known"), EVERY)
def test_the_first_attempt(effect: Effect, failure_class: FailureClass, known: KnownEffect) -> None:
    judged = judge(effect, failure(failure_class, known), Tally(1, 0), POLICY)
    if known is KnownEffect.DONE:
        expected = Judgement.FAIL
    elif effect is Effect.NON_IDEMPOTENT and known is KnownEffect.POSSIBLE:
        expected = Judgement.UNKNOWN
    elif failure_class is FailureClass.CANCELLED:
        expected = Judgement.CANCEL
    else:
        expected = Judgement.RETRY if failure_class in AGAIN else Judgement.FAIL
    assert judged is expected


@pytest.mark.parametrize(("effect", "failure_class", "known"), EVERY)
def test_the_last_attempt_is_never_followed_by_another(
    effect: Effect, failure_class: FailureClass, known: KnownEffect
) -> None:
    assert judge(effect, failure(failure_class, known), Tally(3, 0), POLICY) is not Judgement.RETRY


@pytest.mark.parametrize(("effect", "failure_class", "known"), EVERY)
def test_a_side_effect_that_may_have_happened_is_never_repeated(
    effect: Effect, failure_class: FailureClass, known: KnownEffect
) -> None:
    for counted, refusals, refused in itertools.product((0, 1, 2), (0, 5), (False, True)):
        made = Tally(counted, refusals)
        judged = judge(effect, failure(failure_class, known, refused=refused), made, POLICY)
        if effect is Effect.NON_IDEMPOTENT and known is not KnownEffect.NONE:
            assert judged in (Judgement.UNKNOWN, Judgement.FAIL)


@pytest.mark.parametrize("effect", Effect)
def test_a_refusal_counts_for_itself(effect: Effect) -> None:
    refused = failure(FailureClass.UNAVAILABLE, KnownEffect.NONE, refused=True)
    assert judge(effect, refused, Tally(3, MAX_REFUSED - 1), POLICY) is Judgement.RETRY
    assert judge(effect, refused, Tally(0, MAX_REFUSED), POLICY) is Judgement.FAIL


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 100_000), st.integers(0, 10**12))
def test_the_delay_has_full_jitter_up_to_a_bound_and_honours_what_was_asked(number: int, after: int) -> None:
    drawn = delay(failure(FailureClass.TRANSIENT, KnownEffect.NONE), number, POLICY)
    assert 0 <= drawn <= min(POLICY.max_delay, POLICY.initial_delay * 2 ** min(number - 1, 40))
    asked = delay(failure(FailureClass.RATE_LIMITED, KnownEffect.NONE, after=after), number, POLICY)
    assert after <= asked <= max(after, POLICY.max_delay)


def test_it_doubles_and_is_spread() -> None:
    broken = failure(FailureClass.TRANSIENT, KnownEffect.NONE)
    largest = [max(delay(broken, number, POLICY) for _ in range(400)) for number in (1, 2, 3)]
    for number, most in enumerate(largest):
        assert 0.8 * 2**number * POLICY.initial_delay < most <= 2**number * POLICY.initial_delay
    assert min(delay(broken, 3, POLICY) for _ in range(400)) < POLICY.initial_delay


def test_after_a_refusal_it_starts_small() -> None:
    refused = failure(FailureClass.UNAVAILABLE, KnownEffect.NONE, refused=True)
    assert max(delay(refused, 1, POLICY) for _ in range(100)) <= 50_000_000
