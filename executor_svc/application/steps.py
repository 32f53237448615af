"""Measures each step of a call on the event loop: from where it is resumed to where it waits again, or ends."""

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from executor_svc.application.run import Run

T = TypeVar("T")


@types.coroutine
def timed(work: Coroutine[Any, Any, T], run: Run) -> Generator[Any, Any, T]:
    """Awaits `work`; a step of it that takes longer than the limit marks the run as one that holds the loop.

    Wall time, since a step that sleeps holds the loop as much as one that computes.
    """
    monotonic, limit = run.means.clock.monotonic, run.means.block_limit
    step: Callable[[Any], Any] = work.send
    argument: Any = None
    while True:
        began = monotonic()
        try:
            awaited = step(argument)
        except StopIteration as stop:
            return stop.value
        finally:
            if monotonic() - began > limit:
                run.holds_loop = True
        try:
            step, argument = work.send, (yield awaited)
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:
            step, argument = work.throw, error
