from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from executor_svc.application.lock_wait import LockWait, Spent
from tests.support.clock import ManualClock


@dataclass
class Loop:
    """What the loop's thread did, what others did, and how long the watching thread was kept from the lock."""

    clock: ManualClock = field(default_factory=ManualClock)
    standstill: Any = field(default_factory=lambda: SimpleNamespace(locked=0.0))

    def __post_init__(self) -> None:
        self.spent = Spent(5.0, 700, 90.0)
        self.wait = LockWait(self.clock, self.standstill, lambda: self.spent)

    def passes(
        self, seconds: float, *, computed: float = 0.0, woken: int = 0, others: float = 0.0, locked: float = 0.0
    ) -> None:
        self.clock.advance(seconds)
        self.standstill.locked += locked
        before = self.spent
        self.spent = Spent(before.own + computed, before.woken + woken, before.together + computed + others)


@pytest.fixture
def loop() -> Loop:
    return Loop()


def test_who_is_woken_over_and_over_while_the_watching_thread_is_kept_from_the_lock_waits_for_it(loop: Loop):
    loop.passes(6.0, woken=1200, locked=6.1)
    assert loop.wait.waited() == pytest.approx(6.0)


def test_or_while_others_compute_in_turns(loop: Loop):
    loop.passes(2.0, computed=0.1, woken=400, others=1.9)
    assert loop.wait.waited() == pytest.approx(1.9)


def test_who_computes_waits_only_in_between(loop: Loop):
    loop.passes(2.0, computed=1.5, woken=400, others=2.0, locked=2.0)
    assert loop.wait.waited() == pytest.approx(0.5)


def test_who_sleeps_does_not_wait_whatever_others_do(loop: Loop):
    loop.passes(6.0, woken=1, others=6.0, locked=6.0)
    assert loop.wait.waited() < 0.1


def test_who_sleeps_shortly_over_and_over_does_not_wait_while_nobody_has_the_lock(loop: Loop):
    loop.passes(6.0, woken=6000, others=0.1)
    assert loop.wait.waited() == pytest.approx(0.1)


def test_who_sleeps_and_then_waits_is_not_excused_for_its_sleep(loop: Loop):
    loop.passes(1.0, woken=1)
    loop.passes(3.0, woken=600, locked=3.0)
    assert loop.wait.waited() == pytest.approx(3.0)


@pytest.mark.parametrize("asked", [True, False])
def test_what_was_before_the_mark_does_not_count(loop: Loop, asked: bool):
    loop.passes(6.0, woken=1200, others=6.0, locked=6.0)
    if asked:
        loop.wait.waited()
    else:
        loop.wait.mark()
    loop.passes(1.0, woken=1)
    assert loop.wait.waited() == 0


def test_where_the_system_does_not_count_by_thread_nobody_is_known_to_have_waited():
    clock, standstill = ManualClock(), SimpleNamespace(locked=0.0)
    wait = LockWait(clock, standstill, lambda: Spent(0.0, 0, 0.0))  # pyright: ignore[reportArgumentType]
    clock.advance(6.0)
    standstill.locked = 6.0
    assert wait.waited() == 0
