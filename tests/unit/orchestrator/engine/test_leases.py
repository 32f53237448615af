"""Leases: whose counter stood still for a period is gone, unless it was the watcher who stood still."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator_svc.application.engine.leases import LeaseWatch, Tenure
from orchestrator_svc.ports.ownership import Lease
from tests.support.clock import ManualClock

PERIOD = 6.0
ONE, OTHER = Lease("one", 7), Lease("other", 3)


def read(watch: LeaseWatch, at: float, *leases: Lease, took: float = 0.0) -> list[Lease]:
    return watch.look(leases, at, at + took)


def test_a_counter_that_stands_still_for_a_period_is_over() -> None:
    watch = LeaseWatch(PERIOD)
    assert not any(read(watch, float(at), ONE) for at in (0, 2, 4))
    assert watch.due() == 6.0
    assert read(watch, 6.0, ONE) == [ONE]


def test_one_that_is_still_starting_has_longer() -> None:
    watch = LeaseWatch(PERIOD)
    new = Lease("new", 0)
    assert not any(read(watch, float(at), new) for at in range(0, 24, 2))
    assert watch.due() == 24.0
    assert read(watch, 24.0, new) == [new]
    assert not any(read(watch, 24.0 + at, Lease("new", 1)) for at in (0, 2, 4))
    assert read(watch, 30.0, Lease("new", 1)) == [Lease("new", 1)]


def test_one_that_moves_lives_on_beside_one_that_does_not() -> None:
    watch = LeaseWatch(PERIOD)
    for at in (0, 2, 4):
        assert not read(watch, float(at), Lease("one", at), OTHER)
    assert read(watch, 6.0, Lease("one", 6), OTHER) == [OTHER]
    assert watch.due() == 12.0, "the other is over, and needs no look any more"
    assert not read(watch, 8.0, Lease("one", 8))
    assert watch.due() == 14.0


def test_whoever_did_not_look_for_half_a_period_begins_anew() -> None:
    watch = LeaseWatch(PERIOD)
    assert not any(read(watch, float(at), ONE) for at in (0, 2, 4, 7.5))  # it stood still itself, or could not read
    assert not any(read(watch, float(at), ONE) for at in (9, 11, 13))
    assert read(watch, 13.5, ONE) == [ONE]


def test_how_long_a_read_took_counts_for_the_lease() -> None:
    watch = LeaseWatch(PERIOD)
    assert not any(read(watch, float(at), ONE, took=0.5) for at in (0, 2, 4, 6))  # seen first at 0.5, perhaps
    assert read(watch, 6.5, ONE, took=0.5) == [ONE]


def test_a_read_that_took_too_long_is_a_gap() -> None:
    watch = LeaseWatch(PERIOD)
    assert not any(read(watch, float(at), ONE) for at in (0, 2))
    assert not read(watch, 4.0, ONE, took=3.5)
    assert not any(read(watch, float(at), ONE) for at in (8, 10, 12, 13.5))  # from 4 to 8, too
    assert read(watch, 14.0, ONE) == [ONE]


def test_a_clock_that_others_set_has_no_say() -> None:
    clock, watch = ManualClock(), LeaseWatch(PERIOD)
    for _ in range(3):
        assert not read(watch, clock.monotonic(), ONE)
        clock.step(3600)
        clock.advance(2)
    assert read(watch, clock.monotonic(), ONE) == [ONE]


@given(st.lists(st.floats(0.01, 4.0), min_size=1, max_size=30), st.lists(st.booleans(), min_size=30, max_size=30))
def test_none_that_moved_within_a_period_is_ever_over(steps: list[float], moves: list[bool]) -> None:
    watch, now, counter, moved = LeaseWatch(PERIOD), 0.0, 0, 0.0
    for step, moving in zip(steps, moves, strict=False):
        now += step
        if moving:
            counter, moved = counter + 1, now
        if read(watch, now, Lease("one", counter)):
            assert now - moved >= PERIOD


def test_it_dispatches_for_three_quarters_of_a_period_from_the_start_of_a_renewal() -> None:
    clock = ManualClock()
    tenure = Tenure(clock, 4.0)
    clock.advance(2.9)
    assert tenure.holds
    begun = clock.monotonic()
    clock.advance(1.0)
    assert not tenure.holds
    tenure.renewed(begun)
    clock.advance(1.9)
    assert tenure.holds
    clock.step(-3600)
    clock.advance(0.2)
    assert not tenure.holds


def test_nothing_is_renewed_where_nobody_else_is() -> None:
    clock = ManualClock()
    tenure = Tenure(clock, None)
    clock.advance(1e6)
    assert tenure.holds


async def test_waits_until_it_is_lapsed_and_until_it_is_not() -> None:
    clock = ManualClock()
    tenure = Tenure(clock, 0.0)
    await tenure.until(lapsed=True)
    waiting = Tenure(clock, 4.0)
    await waiting.until(lapsed=False)
