"""Which of a tool's tracebacks are in the log."""

from executor_svc.application.tracebacks import AT_ONCE, Told, Tracebacks


def test_every_attempt_of_a_retried_call_has_its_own() -> None:
    tracebacks = Tracebacks()
    assert [tracebacks.take(100.0 + n / 10) for n in range(AT_ONCE)] == [Told.WHOLE] * AT_ONCE


def test_of_a_flood_one_a_second_and_that_others_are_left_out() -> None:
    tracebacks = Tracebacks()
    flood = [tracebacks.take(100.0 + n / 64) for n in range(5 * 64)]
    assert flood.count(Told.WHOLE) == AT_ONCE + 4
    assert flood.count(Told.LEFT_OUT) == 5
    assert flood[: AT_ONCE + 2] == [Told.WHOLE] * AT_ONCE + [Told.LEFT_OUT, Told.NOTHING]


def test_after_a_pause_it_is_as_at_first() -> None:
    tracebacks = Tracebacks()
    for n in range(100):
        tracebacks.take(100.0 + n / 1000)
    assert [tracebacks.take(200.0) for _ in range(AT_ONCE)] == [Told.WHOLE] * AT_ONCE
