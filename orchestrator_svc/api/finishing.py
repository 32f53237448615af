"""Mutations are finished though their client goes away in the middle: nothing is left half done."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from shared.kernel.errors import GreenlightError

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Finishing:
    """Owns the tasks of mutations under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns or raises what the work does. Cancelled, it leaves the work to go on."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_tell)
            raise

    async def drain(self) -> None:
        """Until none is under way."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))


def _tell(task: asyncio.Task[Any]) -> None:
    """Nobody is left to get the answer."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, GreenlightError):
        _log.error("a request whose client went away has failed", exc_info=error)
