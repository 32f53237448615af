"""Keeps a tool from doing to the whole executor what should be its own call's fault: forking, and ending the process.

Both stand for the process: an audit hook cannot be removed, so it asks whether the guard is on.
"""

import asyncio
import sys
from collections.abc import Coroutine, Generator
from typing import Any

from executor_svc.adapters.runners.translation import ForkRefusedError
from executor_svc.application.run import CURRENT_RUN, Run
from executor_svc.application.steps import timed

_FORKS = ("os.fork", "os.forkpty")


class _ForkGuard:
    installed = False
    is_on = False

    @classmethod
    def audit(cls, event: str, _: tuple[object, ...]) -> None:
        if event in _FORKS and cls.is_on:
            raise ForkRefusedError(
                "a tool must not fork the executor (os.fork, multiprocessing's fork): use subprocess, or "
                "multiprocessing with the 'spawn' start method"
            )


def refuse_forks(refuse: bool = True) -> None:
    """From now on fork is refused in the whole process; subprocess is not touched."""
    if not _ForkGuard.installed:
        _ForkGuard.installed = True
        sys.addaudithook(_ForkGuard.audit)
    _ForkGuard.is_on = refuse


class ToolTask(asyncio.Task[Any]):
    """A task that a tool started; `run` is the call that it works for."""

    run: Run


class ToolExitError(Exception):
    """A task of a tool raised SystemExit or KeyboardInterrupt, which would have ended the executor."""


def tool_tasks(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **given: Any
) -> asyncio.Task[Any]:
    """A task factory: what a tool starts is known to be its call's, and cannot end the process."""
    run = CURRENT_RUN.get()
    if run is None:
        return asyncio.Task(work, loop=loop, **given)  # pyright: ignore
    task = ToolTask(_held(work, run), loop=loop, **given)
    task.run = run
    return task


async def _held(work: Any, run: Run) -> Any:
    try:
        return await timed(work, run)
    except (SystemExit, KeyboardInterrupt) as error:
        raise ToolExitError(f"{type(error).__name__}: {error}") from error
