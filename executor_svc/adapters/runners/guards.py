"""Keeps a tool from doing to the whole executor what should be its own call's fault: forking, ending the process, and
cancelling tasks that are not its own.

They stand for the process: an audit hook cannot be removed, so it asks whether the guard is on.
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


_every_task = asyncio.all_tasks


def _tasks_of_the_call(loop: asyncio.AbstractEventLoop | None = None) -> set[asyncio.Task[Any]]:
    loop = loop or asyncio.get_running_loop()
    tasks = _every_task(loop)
    run = CURRENT_RUN.get()
    # A loop that a tool runs by itself, on its thread, is its own altogether.
    if run is None or loop.get_task_factory() is not tool_tasks:
        return tasks
    return {task for task in tasks if task is run.task or getattr(task, "run", None) is run}


def keep_tasks_apart() -> None:
    """From now on `asyncio.all_tasks` shows a tool its own call's tasks only: not the service's, nor its neighbours'.

    To cancel all that there are, as programs do at their end, would else end the executor. To be called before the
    toolboxes are imported, which may take the function by name.
    """
    asyncio.all_tasks = asyncio.tasks.all_tasks = _tasks_of_the_call
