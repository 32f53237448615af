"""The batches in memory: those that are not finished, and those that somebody works on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.kernel.errors import NotFoundError

from orchestrator_svc.domain.batch import ArgumentsJudge, Batch
from orchestrator_svc.ports.store import Store


class LiveBatches:
    """One object a batch. `pin` keeps it while a command is on its way."""

    def __init__(self, store: Store, judge: ArgumentsJudge) -> None:
        self._store, self.judge = store, judge
        self._batches: dict[str, Batch] = {}
        self._pins: dict[str, int] = {}
        self._loading: dict[str, asyncio.Lock] = {}

    def __len__(self) -> int:
        return len(self._batches)

    def get(self, batch_id: str) -> Batch | None:
        return self._batches.get(batch_id)

    def add(self, batch: Batch) -> None:
        self._batches[batch.id] = batch

    def drop(self, batch_id: str) -> None:
        """Forgets it, pinned or not: the next look-up loads it anew."""
        self._batches.pop(batch_id, None)

    def evict(self, batch: Batch) -> bool:
        """Forgets a finished one, unless a command is on its way to it."""
        if batch.state.finished and not self._pins.get(batch.id):
            self._batches.pop(batch.id, None)
            return True
        return False

    @asynccontextmanager
    async def pin(self, tenant: str, batch_id: str) -> AsyncIterator[Batch]:
        """Loads it if need be. Raises NotFoundError (BATCH_UNKNOWN)."""
        self._pins[batch_id] = self._pins.get(batch_id, 0) + 1
        try:
            yield await self._find(tenant, batch_id)
        finally:
            self._pins[batch_id] -= 1
            if not self._pins[batch_id]:
                del self._pins[batch_id]
                batch = self._batches.get(batch_id)
                if batch is not None and batch.state.finished:
                    self._batches.pop(batch_id)

    async def _find(self, tenant: str, batch_id: str) -> Batch:
        batch = self._batches.get(batch_id)
        if batch is None:
            lock = self._loading.setdefault(batch_id, asyncio.Lock())
            async with lock:
                batch = self._batches.get(batch_id)
                if batch is None:
                    batch = await self._store.load_batch(tenant, batch_id, self.judge)
                    if batch is not None:
                        self._batches[batch_id] = batch
            self._loading.pop(batch_id, None)
        if batch is None or batch.tenant != tenant:
            raise unknown_batch(batch_id)
        return batch


def unknown_batch(batch_id: str) -> NotFoundError:
    return NotFoundError("BATCH_UNKNOWN", f"no batch {batch_id[:128]!r} here", metadata={"batch_id": batch_id[:128]})
