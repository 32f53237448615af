"""Measures each step of a call on the event loop: from where it is resumed to where it waits again, or ends."""

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from executor_svc.application.run import Run

T = TypeVar("T")


@types.coroutine
def timed(work: Coroutine[Any, Any, T], run: Run) -> Generator[Any, Any, T]:
    """Awaits `work`; a step of it that takes longer than the limit marks the run as one that holds the loop.

    Wall time, since a step that sleeps holds the loop as much as one that computes; less the time in which the whole
    process stood still, and what it waited for the interpreter's lock, which another thread held.
    """
    monotonic, limit, standstill = run.means.clock.monotonic, run.means.block_limit, run.means.standstill
    step: Callable[[Any], Any] = work.send
    argument: Any = None
    while True:
        began, stood = monotonic(), standstill.total
        try:
            awaited = step(argument)
        except StopIteration as stop:
            return stop.value
        finally:
            took = monotonic() - began
            if took > limit and took - standstill.since(stood) - run.means.lock_wait.waited() > limit:
                run.holds_loop = True
        try:
            step, argument = work.send, (yield awaited)
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:
            step, argument = work.throw, error
