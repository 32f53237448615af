"""Stores for tests: opened, closed and opened again as another start of the orchestrator."""

import itertools
import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.adapters.store.memory_commits import Holdings
from orchestrator_svc.adapters.store.postgresql import PostgresqlStore
from orchestrator_svc.adapters.store.postgresql_engines import connect, parse_url
from orchestrator_svc.adapters.store.sqlite import SqliteStore
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.ports.codec import EventCodec
from orchestrator_svc.ports.commands import Commands
from orchestrator_svc.ports.ownership import Ownership
from orchestrator_svc.ports.store import Committed, Incarnation, Store
from orchestrator_svc.ports.views import BatchFilter, BatchView, ProposalFilter, ProposalView
from shared.kernel.clock import SystemClock
from tests.support.batches import START, AnyArguments, Builder, write

EVERYTHING = 1 << 40
"""Bytes: no limit."""
_STARTS = "SELECT id FROM incarnations UNION SELECT incarnation FROM transactions"


class WholeStore(Store, Ownership, Commands, Protocol):
    """What each of our stores is."""


class Opener(ABC):
    """`opened`: ids of the incarnations, the present one last."""

    prefix = "incarnation"

    def __init__(self, codec: EventCodec | None = None) -> None:
        self.codec = codec or ProtobufEventCodec()
        self.opened: list[str] = []
        self._numbers = itertools.count(1)
        self.store: WholeStore | None = None

    @abstractmethod
    def _make(self) -> WholeStore: ...

    @abstractmethod
    async def starts(self) -> set[str]:
        """Ids of those that are on record."""

    async def open(self, at: int = START) -> WholeStore:
        """Another start, at that time; the one before is closed."""
        await self.close()
        store = self._make()
        self.opened.append(f"{self.prefix}-{next(self._numbers)}")
        await store.start(Incarnation(self.opened[-1], at, "0.1.0"))
        self.store = store
        return store

    async def restart(self, at: int = START) -> WholeStore:
        """Another start, which ends the one before; where there may be several, that one does so itself."""
        if self.store is not None and self.store.shared:
            await self.store.end()
        return await self.open(at)

    async def close(self) -> None:
        if self.store is not None:
            await self.store.close()
            self.store = None


class MemoryOpener(Opener):
    """`held`: shared with other openers, which stand for other orchestrators. `prefix`: of its incarnations' ids."""

    def __init__(self, held: Holdings | None = None, prefix: str = "incarnation") -> None:
        super().__init__()
        self.prefix = prefix
        self._held, self._shared = held or Holdings(), held is not None

    def _make(self) -> WholeStore:
        return MemoryStore(self.codec, self._held, shared=self._shared)

    async def starts(self) -> set[str]:
        return {*self._held.starts}


class SqliteOpener(Opener):
    """`template`: a migrated file to begin with; copying one takes a tenth of migrating."""

    def __init__(self, path: Path, template: Path | None = None, codec: EventCodec | None = None) -> None:
        super().__init__(codec)
        self.path = path
        if template is not None:
            shutil.copy(template, path)

    def _make(self) -> WholeStore:
        return SqliteStore(self.path, self.codec, SystemClock())

    async def starts(self) -> set[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            return {row[0] for row in connection.execute(_STARTS)}


class PostgresqlOpener(Opener):
    """`prefix`: of its incarnations' ids."""

    def __init__(self, url: str, codec: EventCodec | None = None, prefix: str = "incarnation") -> None:
        super().__init__(codec)
        self.url, self.prefix = url, prefix

    def _make(self) -> WholeStore:
        return PostgresqlStore(parse_url(self.url), self.codec, SystemClock())

    async def starts(self) -> set[str]:
        connection = await connect(parse_url(self.url), "test")
        try:
            return {row["id"] for row in await connection.fetch(_STARTS)}
        finally:
            await connection.close()


async def commit(store: Store, *changes: Changes) -> Committed:
    """One transaction; gives new batches their numbers, as the recorder does."""
    committed = await store.commit(write(*changes))
    for change in changes:
        numbers = committed.created.get(change.batch.id)
        if numbers is not None:
            change.batch.number, change.batch.session_no = numbers
    return committed


async def submitted(store: Store, builder: Builder, *changes: Changes) -> Builder:
    """Commits a submission that must not be lost, with what else there is."""
    committed = await commit(store, *changes)
    assert not committed.lost | committed.unwritable
    return builder


async def taken(store: Ownership, builder: Builder) -> Batch:
    """The builder's batch, loaded for the store's start."""
    batch = await store.take(builder.tenant, builder.batch.id, AnyArguments())
    assert isinstance(batch, Batch), batch
    return batch


async def taken_due(store: Ownership, now: int = 1 << 62) -> list[Batch]:
    """All that are due; the end of time is far away."""
    found: list[Batch] = []
    while page := await store.take_due(now, AnyArguments()):
        found += page
    return found


async def listed(
    store: Store, where: ProposalFilter | None = None, tenant: str = "default", page: int = 10
) -> list[ProposalView]:
    """All pages of proposals."""
    found, after = await store.list_proposals(tenant, where or ProposalFilter(), None, page, EVERYTHING)
    while after is not None:
        more, after = await store.list_proposals(tenant, where or ProposalFilter(), after, page, EVERYTHING)
        assert len(more) <= page
        found += more
    return found


async def listed_batches(
    store: Store, where: BatchFilter | None = None, tenant: str = "default", page: int = 10
) -> list[BatchView]:
    """All pages of batches."""
    found, below = await store.list_batches(tenant, where or BatchFilter(), None, page)
    while below is not None:
        more, below = await store.list_batches(tenant, where or BatchFilter(), below, page)
        assert len(more) <= page
        found += more
    return found


def sequences(committed: Committed, builder: Builder) -> Sequence[int]:
    """Those of the frames that a commit stored of a batch, all of them."""
    frames = committed.frames[builder.batch.id]
    return [sequence for frame in frames for sequence in range(frame.first, frame.last + 1)]
