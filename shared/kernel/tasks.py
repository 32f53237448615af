"""Who owns background tasks: one supervisor a service. Nothing is fired and forgotten."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

_log = logging.getLogger(__name__)


class Supervisor:
    """Starts named tasks, keeps hold of them, stops them together.

    A task that raises, or is cancelled by somebody else, is logged, and `on_failure(name, error)` is told: a service
    whose own work has died must not look healthy.
    """

    def __init__(self, on_failure: Callable[[str, BaseException], None] | None = None) -> None:
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ending: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Starts a task that runs until it returns or the supervisor stops."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def cancel(self, task: asyncio.Task[Any]) -> None:
        """Ends one task, of which nobody is told."""
        self._ending.add(task)
        task.cancel()

    async def stop(self) -> None:
        """Cancels what runs and waits until it has ended."""
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                self.cancel(task)
            await asyncio.wait(tasks)
            self._tasks.difference_update(tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        asked = task in self._ending
        self._ending.discard(task)
        if not task.cancelled():
            error = task.exception()
        else:
            error = None if asked else asyncio.CancelledError("cancelled, and not by its owner")
        if error is not None:
            _log.error("%s has failed", task.get_name(), exc_info=error)
            if self._on_failure:
                self._on_failure(task.get_name(), error)
