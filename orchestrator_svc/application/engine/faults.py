"""A fault inside one batch ends that batch, with events that say so. What is on record is the ground to stand on.

That memory or descriptors were short is no fault of the batch, nor that somebody else was first with a request of its:
it goes on from there.
"""

import asyncio
import errno
import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator_svc.application.engine.concluding import batch_lost
from orchestrator_svc.application.engine.elsewhere import OwnedElsewhereError
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.firing import abandon
from shared.kernel.errors import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from orchestrator_svc.application.engine.loop import Engine

MAX_TRIES = 3
PAUSE = 0.1
LONGEST_PAUSE = 30.0
FORGOTTEN_AFTER = 60.0
"""Seconds since the shortage before this one: then it is the first again."""
_SHORTAGES = {errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN}

_log = logging.getLogger(__name__)


class Faults:
    """Loads a faulty batch anew and abandons it, or goes on. `stuck`: ids of those that even that failed with, and why.

    Those are in nobody's memory; what is on record of them stands, and the next command takes them up again.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._queue: asyncio.Queue[tuple[Batch, str]] = asyncio.Queue()
        self._tries: Counter[str] = Counter()
        self._short: dict[str, tuple[int, float]] = {}
        self.stuck: dict[str, str] = {}

    def end(self, batch: Batch, error: Exception) -> None:
        """Memory is not to be trusted: drops it, and has the recorded batch ended. A few times, if that fails too."""
        self.forget(batch)
        if _is_shortage(error):
            self._wait_out(batch, error)
            return
        _log.error("a fault in batch %s ends it", batch.id, exc_info=error)
        self._tries[batch.id] += 1
        if self._tries[batch.id] <= MAX_TRIES:
            self._queue.put_nowait((batch, f"a fault in the orchestrator ended the batch: {type(error).__name__}"))
        else:
            self.stuck[batch.id] = str(error)
            _log.error("batch %s is stuck: it cannot even be ended; what is on record of it stands", batch.id)

    def _wait_out(self, batch: Batch, shortage: Exception) -> None:
        """What was short may be there again, in a moment, or later."""
        _log.error("a shortage in a step of batch %s: it goes on from what is on record", batch.id, exc_info=shortage)
        now = asyncio.get_running_loop().time()
        tries, last = self._short.get(batch.id, (0, now))
        tries = 1 if now - last > FORGOTTEN_AFTER else tries + 1
        self._short[batch.id] = tries, now
        if tries > MAX_TRIES:
            self.stuck[batch.id] = f"{shortage!r}; it is tried again"
        pause = min(PAUSE * 2 ** min(tries, 20), LONGEST_PAUSE)
        asyncio.get_running_loop().call_later(pause, self._queue.put_nowait, (batch, ""))

    def forget(self, batch: Batch) -> None:
        """Nothing of it is in memory any more. Executors keep running its calls: who has it next asks about them."""
        self._engine.live.drop(batch.id)
        self._engine.flights.forget_batch(batch.id)
        self._engine.dispatcher.drop(batch)

    def lost(self, batch_id: str) -> None:
        """What memory holds is not what is on record: somebody else has it, or was first with a request; in that case
        it goes on from there."""
        batch = self._engine.live.get(batch_id)
        if batch is None:
            return
        if batch.number and not self._engine.live.may_be_taken(batch_id):
            self._queue.put_nowait((batch, ""))
        self.forget(batch)

    def unwritable(self, batch_id: str) -> None:
        """What memory holds never will be on record."""
        batch = self._engine.live.get(batch_id)
        if batch is not None and batch.number:
            self.end(batch, batch_lost())
        elif batch is not None:
            self.forget(batch)

    def recorded(self, group: Sequence[Changes]) -> None:
        """What can be written is not stuck."""
        if self.stuck or self._short:
            for changes in group:
                if self.stuck.pop(changes.batch.id, None) is not None:
                    self._tries.pop(changes.batch.id, None)
                if changes.batch.state.finished:
                    self._forget_all(changes.batch.id)

    async def run(self) -> None:
        while True:
            batch, message = await self._queue.get()
            try:
                await (self._end(batch, message) if message else self._go_on(batch))
            except (NotFoundError, OwnedElsewhereError):
                self._forget_all(batch.id)  # it never was on record, or is another's to end
            except UnavailableError as error:
                if error.reason != "BATCH_LOST":  # else it is queued again already
                    await asyncio.sleep(PAUSE)
                    self._queue.put_nowait((batch, message))
            except Exception as error:
                self.end(batch, error)
            else:
                self._tries.pop(batch.id, None)

    def _forget_all(self, batch_id: str) -> None:
        for known in (self._tries, self._short, self.stuck):
            known.pop(batch_id, None)

    async def _go_on(self, batch: Batch) -> None:
        async with self._engine.live.pin(batch.tenant, batch.id):
            pass

    async def _end(self, batch: Batch, message: str) -> None:
        await self._engine.recorder.recorded(batch.id)
        async with self._engine.live.pin(batch.tenant, batch.id, resumes=False) as loaded:
            if not loaded.state.finished:
                await self._engine.execute(loaded, lambda b, c: abandon(b, c, message))


def _is_shortage(error: Exception) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _SHORTAGES)
