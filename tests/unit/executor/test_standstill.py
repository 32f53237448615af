import threading
from collections.abc import Iterator

import pytest

from executor_svc.application.standstill import Standstill
from tests.support.clock import ManualClock


class Life:
    """A clock, and how often the watching thread was woken."""

    def __init__(self) -> None:
        self.clock, self.woken = ManualClock(), 0
        self.standstill = Standstill(self.clock, 0.25, lambda: self.woken)

    def passes(self, seconds: float, woken: int) -> None:
        self.clock.advance(seconds)
        self.woken += woken


@pytest.fixture
def life() -> Life:
    return Life()


def test_a_gap_in_which_nothing_was_woken_is_one(life: Life):
    life.passes(0.1, 1)
    life.standstill.look()
    life.passes(60.0, 3)
    life.standstill.look()
    assert life.standstill.total == pytest.approx(60.0)
    assert life.standstill.locked == 0


def test_who_waits_for_the_interpreters_lock_was_not_standing_still(life: Life):
    life.passes(0.6, 90)
    life.standstill.look()
    assert life.standstill.total == 0
    assert life.standstill.locked == pytest.approx(0.6)


def test_a_rest_is_none(life: Life):
    life.passes(3600.0, 1)
    life.standstill.begin()
    life.passes(0.1, 1)
    life.standstill.look()
    assert life.standstill.total == 0


@pytest.fixture
def watched(life: Life) -> Iterator[Life]:
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            life.standstill.pause(60)

    thread = threading.Thread(target=watch)
    thread.start()
    yield life
    over.set()
    life.standstill.rouse()
    thread.join()


def test_who_asks_gets_to_know_what_the_watching_thread_has_not_seen_yet(watched: Life):
    watched.passes(5.0, 1)
    assert watched.standstill.since(0.0) == pytest.approx(5.0)
