"""The anchored clock: nobody sets it, another clock may hold it, and it never goes back."""

from datetime import UTC, datetime

from shared.kernel.clock import AnchoredClock

SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND


class Machine:
    """Its wall clock can be set, its steady clock cannot."""

    def __init__(self) -> None:
        self.wall, self.steady = NOON, 500 * SECOND

    def pass_time(self, seconds: float) -> None:
        self.wall += round(seconds * SECOND)
        self.steady += round(seconds * SECOND)

    def clock(self) -> AnchoredClock:
        return AnchoredClock(lambda: self.wall, lambda: self.steady)


def test_it_begins_with_the_machines_time_and_goes_on() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.pass_time(1.5)
    assert clock.time_ns() == NOON + 1_500_000_000
    assert clock.now() == datetime(2026, 1, 1, 12, 0, 1, 500_000, UTC)


def test_steps_of_the_machines_clock_move_nothing() -> None:
    machine = Machine()
    clock = machine.clock()
    for step in (3600, -7200):
        machine.wall += step * SECOND
        assert clock.time_ns() == NOON


def test_it_is_held_to_another_clock_as_near_as_that_is_known() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.anchor(NOON + 60 * SECOND, 0.0)
    assert clock.time_ns() == NOON + 60 * SECOND
    clock.anchor(NOON + 61 * SECOND, 0.25)  # it stands between 61 and 61.25 now
    assert clock.time_ns() == NOON + 61 * SECOND
    clock.anchor(NOON + 60 * SECOND + SECOND // 2, 0.75)  # between 60.5 and 61.25: nothing new
    assert clock.time_ns() == NOON + 61 * SECOND


def test_it_waits_for_a_clock_that_was_set_back_and_never_goes_back() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.anchor(NOON, 0.0)
    clock.anchor(NOON - 2 * SECOND, 0.0)
    seen = [clock.time_ns()]
    for _ in range(4):
        machine.pass_time(1)
        seen.append(clock.time_ns())
    assert [time - NOON for time in seen] == [0, 0, 0, SECOND, 2 * SECOND]


def test_a_machine_whose_clock_was_ahead_from_the_first_waits_for_nothing() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.anchor(NOON - 3600 * SECOND, 0.0)
    machine.pass_time(1)
    assert clock.time_ns() == NOON - 3599 * SECOND


def test_the_real_one_goes_on() -> None:
    clock = AnchoredClock()
    first, second = clock.time_ns(), clock.time_ns()
    assert first <= second
    assert clock.monotonic() <= clock.monotonic()
