import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from executor_svc.application.watchdog import Watchdog
from tests.support.clock import ManualClock


class Life:
    """The loop does not beat. Each of `pauses` is how long one of the watching thread took, and which thread, if any,
    had the interpreter's lock for all of it."""

    def __init__(self, *pauses: tuple[float, threading.Thread | None]) -> None:
        self.clock, self.locked, self.spent = ManualClock(), 0.0, dict.fromkeys(threading.enumerate(), 0.0)
        self.over, self._rest, self._pauses = threading.Event(), threading.Event(), iter(pauses)
        self.pulse: Any = SimpleNamespace(beating=True, beat=self.clock.monotonic())

    def begin(self) -> None:
        pass

    def rouse(self) -> None:
        self._rest.set()

    def pause(self, _: float) -> None:
        if (pause := next(self._pauses, None)) is None:
            self.over.set()
            self._rest.wait()
            return
        seconds, thread = pause
        self.clock.advance(seconds)
        if thread is not None:
            self.locked += seconds
            self.spent = self.spent | {thread: self.spent.get(thread, 0.0) + seconds}


@pytest.fixture
def other() -> Iterator[threading.Thread]:
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="other")
    thread.start()
    yield thread
    over.set()
    thread.join()


def watch(life: Life, *runs: Any) -> None:
    """Within the task that is said to hold the loop: it does not let go until all is over."""
    standstill: Any = life
    watchdog = Watchdog(life.clock, life.pulse, standstill, lambda: list(runs), limit=0.5, spent=lambda: life.spent)
    watchdog.start()
    life.over.wait()
    watchdog.stop()


def run_on(thread: threading.Thread, call_id: str = "b/k/1", start: float = 0.0) -> Any:
    call = SimpleNamespace(tool="look", version="3", id=call_id)
    return SimpleNamespace(thread=thread.ident, start=start, task=None, call=call)


async def test_who_holds_the_loop_is_named_and_where(caplog: pytest.LogCaptureFixture):
    watch(Life(*[(0.125, None)] * 6))
    [said] = caplog.messages
    assert "has held the event loop for 0.6 s, at " in said


async def test_a_call_that_held_the_interpreters_lock_is_named_once_and_nobody_else(
    caplog: pytest.LogCaptureFixture, other: threading.Thread
):
    watch(Life(*[(2.0, other)] * 4), run_on(other))
    [said] = caplog.messages
    assert said == "tool look 3, call b/k/1, has held the interpreter's lock for 2.0 s, in which nothing else ran"


async def test_of_several_calls_of_a_thread_the_one_that_began_last_held_it(
    caplog: pytest.LogCaptureFixture, other: threading.Thread
):
    ended = [run_on(other, "b/first/1", 1.0), run_on(other, "b/second/1", 2.0)]
    watch(Life((2.0, other)), ended[0], run_on(other, "b/third/1", 3.0), ended[1])
    [said] = caplog.messages
    assert "call b/third/1, has held" in said


async def test_a_thread_of_no_call_that_held_it_is_named_by_where_it_is(
    caplog: pytest.LogCaptureFixture, other: threading.Thread
):
    watch(Life((2.0, other)))
    [said] = caplog.messages
    assert said.startswith("thread other, now at ")
    assert "threading.py:" in said


async def test_short_holds_are_not_worth_a_word(caplog: pytest.LogCaptureFixture, other: threading.Thread):
    watch(Life(*[(0.4, other)] * 9), run_on(other))
    assert caplog.messages == []


async def test_the_loops_own_thread_that_held_it_has_held_the_loop(caplog: pytest.LogCaptureFixture):
    watch(Life(*[(1.0, threading.current_thread())] * 2))
    [said] = caplog.messages
    assert "has held the event loop for 2.0 s, at " in said
