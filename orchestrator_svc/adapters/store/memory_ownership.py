"""Leases and owners in memory: the same rules as in a database."""

from collections.abc import Sequence
from itertools import accumulate

from orchestrator_svc.adapters.store.failures import taken_over
from orchestrator_svc.adapters.store.memory_batches import KeptBatch
from orchestrator_svc.adapters.store.memory_starts import MemoryStart
from orchestrator_svc.adapters.store.reading.whole import PAGE_BATCHES, PAGE_PROPOSALS
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.binding import ArgumentsJudge
from orchestrator_svc.ports.ownership import Beat, Elsewhere, Lease


class MemoryOwnership(MemoryStart):
    """Implements `Ownership`."""

    @property
    def shared(self) -> bool:
        return self._shared

    async def renew(self) -> Beat:
        if self._ended:
            raise taken_over("the store")
        self._held.starts[self._incarnation].counter += 1
        others = [
            Lease(incarnation, start.counter)
            for incarnation, start in self._held.starts.items()
            if incarnation != self._incarnation and not start.superseded
        ]
        return Beat(self._clock.time_ns(), others)

    async def supersede(self, lease: Lease) -> bool:
        self._check()
        start = self._held.starts.get(lease.incarnation)
        if start is None or start.superseded or start.counter != lease.counter:
            return False
        self._held.end(lease.incarnation)
        return True

    async def end(self) -> None:
        if not self._ended:
            self._held.end(self._incarnation)

    async def take(self, tenant: str, batch_id: str, judge: ArgumentsJudge) -> Batch | Elsewhere | None:
        self._check()
        kept = self._held.find(tenant, batch_id)
        if kept is None:
            return None
        return self._take(kept, judge) if kept.belongs_to(self._incarnation) else Elsewhere(kept.incarnation)

    async def take_due(self, now: int, judge: ArgumentsJudge) -> list[Batch]:
        self._check()
        due = [(time, kept.number, kept) for time, kept in self._waking() if time <= now]
        first = [kept for _, _, kept in sorted(due)[:PAGE_BATCHES]]
        totals = accumulate(len(kept.proposals) for kept in first)
        page = [kept for kept, total in zip(first, totals, strict=True) if total <= PAGE_PROPOSALS] or first[:1]
        return [self._take(kept, judge) for kept in page]

    async def next_wake(self) -> int | None:
        return min((time for time, _ in self._waking()), default=None)

    async def still(self, batch: Batch) -> bool:
        kept = self._held.find(batch.tenant, batch.id)
        return kept is not None and self._knows(batch, kept)

    async def let_go(self, batches: Sequence[Batch], now: int) -> None:
        self._check()
        for batch in batches:
            kept = self._held.find(batch.tenant, batch.id)
            if kept is not None and self._knows(batch, kept):
                kept.incarnation, kept.wake_time = "", batch.due_from(now)

    def _waking(self) -> list[tuple[int, KeptBatch]]:
        found = [kept for kept in self._held.batches.values() if not kept.incarnation and kept.published]
        return [(kept.wake_time, kept) for kept in found if kept.wake_time is not None]

    def _take(self, kept: KeptBatch, judge: ArgumentsJudge) -> Batch:
        kept.epoch, kept.incarnation = kept.epoch + 1, self._incarnation
        return kept.whole(judge)

    def _knows(self, batch: Batch, kept: KeptBatch) -> bool:
        known = (kept.epoch, kept.header.head) == (batch.epoch, batch.head)
        return known and kept.belongs_to(self._incarnation)
