"""Endings that have to find their way to the record: a person has said what became of the call before its executor did,
or the batch is not in this memory any more.

Where a batch is, and who may write it, is not this module's: `record` knows the way.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from orchestrator_svc.application.engine.flights import Sent
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.ports.executor import Executors
from shared.kernel.errors import GreenlightError, NotFoundError, UnavailableError

AT_ONCE = 64
MAX_WAITING_AGAIN = 1_000
"""What is said again beyond that is not heard: it will be said once more."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0

_log = logging.getLogger(__name__)


class LateEnding(NamedTuple):
    """`position`: where the executor's journal stood; 0: that was not said. `again`: it had been said before."""

    sent: Sent
    ending: Ending
    position: int
    again: bool = False


class LateEndings:
    """`run` is its one task. An executor keeps an ending until it is on record, whoever records it."""

    record: Callable[[LateEnding], Awaitable[None]]
    """Returns once it is on record. Raises UnavailableError where that is not so yet, or not known; NotFoundError."""

    def __init__(self, executors: Executors) -> None:
        self._executors = executors
        self._queue: asyncio.Queue[LateEnding] = asyncio.Queue()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._on_their_way: set[str] = set()

    def put(self, late: LateEnding) -> None:
        """Once of a call: who takes its batch to record it may ask the executor once more."""
        if late.again and self._queue.qsize() >= MAX_WAITING_AGAIN:
            return
        if late.sent.call_id not in self._on_their_way:
            self._on_their_way.add(late.sent.call_id)
            self._queue.put_nowait(late)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                late = await self._queue.get()
                await self._room.acquire()
                tasks.create_task(self._take_care_of(late), name=f"late ending of {late.sent.call_id}")

    async def _take_care_of(self, late: LateEnding) -> None:
        try:
            await self._try_on(late)
        except GreenlightError as error:
            # What is said again and again, and is of nobody here, may be another installation's.
            level = logging.DEBUG if late.again and isinstance(error, NotFoundError) else logging.ERROR
            _log.log(
                level, "the late ending of %s cannot be recorded, its executor keeps it: %s", late.sent.call_id, error
            )
        else:
            self._executors.acknowledge(late.sent.target, [late.sent.call_id])
        finally:
            self._on_their_way.discard(late.sent.call_id)
            self._room.release()

    async def _try_on(self, late: LateEnding) -> None:
        """Waits out a store that is not there, and an owner that says nothing."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await self.record(late)
            except UnavailableError as error:
                if pause == FIRST_PAUSE:
                    _log.warning("the late ending of %s waits: %s", late.sent.call_id, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
