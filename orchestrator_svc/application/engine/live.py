"""The batches in memory: those that are not finished, and those that somebody works on."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from orchestrator_svc.domain.batch import MAX_BATCH_ARGUMENTS, Batch
from orchestrator_svc.domain.binding import ArgumentsJudge
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.ports.store import Store
from shared.kernel.errors import NotFoundError

RECENT_PROPOSALS = 4_000


class OwnedElsewhereError(Exception):
    """Another orchestrator has the batch: its `incarnation` has to be asked."""

    def __init__(self, incarnation: str) -> None:
        super().__init__(incarnation)
        self.incarnation = incarnation


class LiveBatches:
    """One object a batch. `pin` keeps it while a command is on its way. A few finished ones stay to be looked at."""

    busy: Callable[[str], bool]
    """Whether changes of a batch wait to be recorded: then it stays. Set by the engine, as are the next two."""
    recorded: Callable[[str], Awaitable[None]]
    """Until they no longer do: a batch is loaded with everything that was done to it."""
    awaited: Callable[[Batch], bool]
    """Whether an executor may still say how an attempt ended."""

    def __init__(
        self,
        store: Store,
        judge: ArgumentsJudge,
        max_arguments: int = MAX_BATCH_ARGUMENTS,
        resolution_deadline: int | None = None,
    ) -> None:
        self.busy, self.awaited = (lambda batch_id: False), (lambda batch: False)
        self._store, self.judge, self._max_arguments = store, judge, max_arguments
        self._resolution_deadline = resolution_deadline
        self._batches: dict[str, Batch] = {}
        self._pins: dict[str, int] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._recent: OrderedDict[str, Batch] = OrderedDict()
        self._recent_proposals = 0

    def __len__(self) -> int:
        return len(self._batches)

    def get(self, batch_id: str) -> Batch | None:
        return self._batches.get(batch_id)

    def at(self, tenant: str, batch_id: str, sequence: int) -> Batch | None:
        """To look at only: a batch whose last event is that one, which was committed; live, or finished lately."""
        batch = self._batches.get(batch_id) or self._recent.get(batch_id)
        return batch if batch is not None and batch.tenant == tenant and batch.head == sequence else None

    def add(self, batch: Batch) -> None:
        batch.max_arguments, batch.resolution_deadline = self._max_arguments, self._resolution_deadline
        self._batches[batch.id] = batch
        self._forget(batch.id)

    def drop(self, batch_id: str) -> None:
        """Forgets it, pinned or not: the next look-up loads it anew."""
        self._batches.pop(batch_id, None)

    def evict(self, batch: Batch) -> bool:
        """Forgets a finished one, unless a command is on its way to it, or an ending that may still come."""
        held = self._batches.get(batch.id) is batch
        if batch.counts[ProposalState.OUTCOME_UNKNOWN] and self.awaited(batch):
            return False
        if held and batch.state.finished and not self._pins.get(batch.id):
            del self._batches[batch.id]
            self._remember(batch)
            return True
        return False

    def _remember(self, batch: Batch) -> None:
        self._recent[batch.id] = batch
        self._recent_proposals += len(batch.proposals)
        while self._recent_proposals > RECENT_PROPOSALS and len(self._recent) > 1:
            self._forget(next(iter(self._recent)))

    def _forget(self, batch_id: str) -> None:
        batch = self._recent.pop(batch_id, None)
        if batch is not None:
            self._recent_proposals -= len(batch.proposals)

    @asynccontextmanager
    async def pin(self, tenant: str, batch_id: str) -> AsyncGenerator[Batch]:
        """Loads it if need be. Raises NotFoundError (BATCH_UNKNOWN)."""
        self._pins[batch_id] = self._pins.get(batch_id, 0) + 1
        try:
            yield await self._find(tenant, batch_id)
        finally:
            self._pins[batch_id] -= 1
            if not self._pins[batch_id]:
                del self._pins[batch_id]
                batch = self._batches.get(batch_id)
                if batch is not None and batch.state.finished and not self.busy(batch_id):
                    self.evict(batch)

    async def _find(self, tenant: str, batch_id: str) -> Batch:
        batch = self._batches.get(batch_id)
        if batch is None:
            lock = self._loading.setdefault(batch_id, asyncio.Lock())
            async with lock:
                batch = self._batches.get(batch_id)
                if batch is None:
                    if self.busy(batch_id):
                        await self.recorded(batch_id)
                    batch = await self._store.load_batch(tenant, batch_id, self.judge)
                    if batch is not None:
                        self.add(batch)
            self._loading.pop(batch_id, None)
        if batch is None or batch.tenant != tenant:
            raise unknown_batch(batch_id)
        return batch


def unknown_batch(batch_id: str) -> NotFoundError:
    return NotFoundError("BATCH_UNKNOWN", f"no batch {batch_id[:128]!r} here", metadata={"batch_id": batch_id[:128]})
