"""Owners of batches over SQL, on either database. How a lease is renewed is each store's own."""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence

from orchestrator_svc.adapters.store import owning
from orchestrator_svc.adapters.store.reading import owners, whole
from orchestrator_svc.adapters.store.sql_access import SqlAccess
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.binding import ArgumentsJudge
from orchestrator_svc.ports.ownership import Beat, Elsewhere, Lease


class SqlOwnership(SqlAccess):
    """Implements `Ownership`, but for `shared` and `renew`."""

    def __init__(self) -> None:
        super().__init__()
        # Number -> epoch: taken as due (perhaps: a COMMIT may be in doubt), and not handed out yet.
        self._taken: dict[int, int] = {}
        self._taking = asyncio.Lock()

    @property
    @abstractmethod
    def shared(self) -> bool: ...

    @abstractmethod
    async def renew(self) -> Beat: ...

    async def supersede(self, lease: Lease) -> bool:
        return await self._write(owning.supersede, lease)

    async def end(self) -> None:
        await self._write(owning.end, self._incarnation)

    async def take(self, tenant: str, batch_id: str, judge: ArgumentsJudge) -> Batch | Elsewhere | None:
        elsewhere = await self._look(owners.elsewhere, tenant, batch_id, self._incarnation)
        if elsewhere is not None:  # the usual case where it is so; it waits for nobody
            return elsewhere
        found = await self._write(owning.take, tenant, batch_id, self._incarnation)
        return await self._list(whole.load, tenant, batch_id, judge) if found is True else found

    async def take_due(self, now: int, judge: ArgumentsJudge) -> list[Batch]:
        """What was taken, and could not be loaded then, is handed out by the next call."""
        async with self._taking:
            return await self._take_due(now, judge)

    async def _take_due(self, now: int, judge: ArgumentsJudge) -> list[Batch]:
        earliest = await self.next_wake()
        if earliest is not None and earliest <= now:
            await self._write(owning.take_due, now, self._incarnation, self._taken)
        if not self._taken:
            return []
        loaded = await self._list(whole.load_taken, self._taken, self._incarnation, judge)
        self._taken.clear()
        return loaded

    async def next_wake(self) -> int | None:
        return await self._look(owners.next_wake)

    async def still(self, batch: Batch) -> bool:
        return await self._look(owners.still, batch, self._incarnation)

    async def let_go(self, batches: Sequence[Batch], now: int) -> None:
        if batches:
            await self._write(owning.let_go, batches, self._incarnation, now)
