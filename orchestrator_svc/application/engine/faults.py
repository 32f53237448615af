"""A fault inside one batch ends that batch, with events that say so. What is on record is the ground to stand on."""

import asyncio
import logging
from typing import TYPE_CHECKING

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.firing import abandon
from shared.kernel.errors import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from orchestrator_svc.application.engine.loop import Engine

MAX_TRIES = 3
PAUSE = 0.1
BATCH_LOST = "BATCH_LOST"

_log = logging.getLogger(__name__)


class Faults:
    """Owns the tasks that load a faulty batch anew and abandon it."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._queue: asyncio.Queue[tuple[Batch, str, int]] = asyncio.Queue()

    def end(self, batch: Batch, error: Exception) -> None:
        """Memory is not to be trusted: drops it, and has the recorded batch ended."""
        _log.error("a fault in batch %s ends it", batch.id, exc_info=error)
        self._engine.live.drop(batch.id)
        self._engine.flights.forget_batch(batch.id)
        self._engine.dispatcher.drop(batch)
        self._queue.put_nowait((batch, f"a fault in the orchestrator ended the batch: {type(error).__name__}", 1))

    async def run(self) -> None:
        while True:
            batch, message, tries = await self._queue.get()
            try:
                await self._end(batch, message)
            except NotFoundError:
                pass  # it never was on record
            except Exception as error:
                _log.exception("batch %s could not be ended", batch.id)
                await self._again(batch, message, tries, error)

    async def _again(self, batch: Batch, message: str, tries: int, error: Exception) -> None:
        """For as long as the store is away; a few times where it is a fault of its own."""
        away = isinstance(error, UnavailableError) and error.reason != BATCH_LOST
        if away or tries < MAX_TRIES:
            await asyncio.sleep(PAUSE)
            self._queue.put_nowait((batch, message, tries + (not away)))

    async def _end(self, batch: Batch, message: str) -> None:
        await self._engine.recorder.recorded(batch.id)
        async with self._engine.live.pin(batch.tenant, batch.id) as loaded:
            if not loaded.state.finished:
                await self._engine.execute(loaded, lambda b, c: abandon(b, c, message))
