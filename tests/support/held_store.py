"""Stores that misbehave on request, around a real one: commits that wait, fail, or come back as lost."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.ports.store import Committed
from shared.kernel.errors import UnavailableError
from tests.support.stores import WholeStore


class HeldStore:
    """`hold()`: commits wait until `release()`. `away`: they fail, as takes do. `lose`: which writes come back as lost.

    `spoil`: which writes come back as such that cannot be written.
    `poison`: which writes make the whole transaction raise what nobody foresaw. `groups`: the batches of each commit.
    """

    def __init__(self, inner: WholeStore) -> None:
        self._inner = inner
        self._open = asyncio.Event()
        self._open.set()
        self.waiting = 0
        self.away = False
        self.lose: Callable[[BatchWrite], bool] = lambda write: False
        self.spoil: Callable[[BatchWrite], bool] = lambda write: False
        self.poison: Callable[[BatchWrite], bool] = lambda write: False
        self.groups: list[list[str]] = []

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    @property
    def port(self) -> WholeStore:
        return cast(WholeStore, self)

    async def commit(self, writes: Sequence[BatchWrite]) -> Committed:
        self.waiting += 1
        await self._open.wait()
        self.waiting -= 1
        if self.away:
            raise UnavailableError("STORE_UNAVAILABLE", "the store is away", retry_after=1.0)
        self.groups.append([write.batch.id for write in writes])
        if any(self.poison(write) for write in writes):
            raise ValueError("a row that no database takes")
        lost = [write for write in writes if self.lose(write)]
        spoilt = [write for write in writes if self.spoil(write)]
        committed = await self._inner.commit([write for write in writes if write not in [*lost, *spoilt]])
        committed.lost |= {write.batch.id for write in lost}
        committed.unwritable |= {write.batch.id for write in spoilt}
        return committed

    async def take(self, *arguments: Any) -> Any:
        return await self._reach("take", *arguments)

    async def take_due(self, *arguments: Any) -> Any:
        return await self._reach("take_due", *arguments)

    async def _reach(self, method: str, *arguments: Any) -> Any:
        if self.away:
            raise UnavailableError("STORE_UNAVAILABLE", "the store is away", retry_after=1.0)
        return await getattr(self._inner, method)(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
