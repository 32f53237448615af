"""How long until an executor that was lost is tried again."""

from orchestrator_svc.adapters.executor.link import retry_delay


def test_one_that_is_back_is_found_within_a_second_however_long_it_was_away() -> None:
    assert max(retry_delay(attempt) for attempt in range(1, 2_000)) <= 1.0


def test_the_first_tries_come_soon_and_at_random() -> None:
    first = [retry_delay(1) for _ in range(100)]
    assert max(first) <= 0.1
    assert len({*first}) > 1
