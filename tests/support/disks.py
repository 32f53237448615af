"""What outlives a start of the orchestrator: a store that is opened again, with the clock of its world."""

from abc import ABC, abstractmethod
from pathlib import Path

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.engines import writer_engine
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.adapters.store.memory_commits import Holdings
from orchestrator_svc.adapters.store.migrating import migrate
from orchestrator_svc.adapters.store.postgresql import PostgresqlStore
from orchestrator_svc.adapters.store.postgresql_engines import parse_url
from orchestrator_svc.adapters.store.sqlite import SqliteStore
from orchestrator_svc.ports.store import Incarnation, Store
from shared.kernel.clock import Clock


class Disk(ABC):
    @abstractmethod
    def open(self, clock: Clock) -> Store: ...


class MemoryDisk(Disk):
    def __init__(self) -> None:
        self._held = Holdings()

    def open(self, clock: Clock) -> Store:
        return MemoryStore(ProtobufEventCodec(), self._held, clock=clock)


class SqliteDisk(Disk):
    """`migrated`: the content of a file that is, to begin with: that takes a tenth of migrating one."""

    def __init__(self, path: Path, migrated: bytes) -> None:
        self._path = path
        path.write_bytes(migrated)

    def open(self, clock: Clock) -> Store:
        return SqliteStore(self._path, ProtobufEventCodec(), clock)


class PostgresqlDisk(Disk):
    """`url`: of a migrated database of its own."""

    def __init__(self, url: str) -> None:
        self._url = url

    def open(self, clock: Clock) -> Store:
        return _Superseding(parse_url(self._url), ProtobufEventCodec(), clock)


class _Superseding(PostgresqlStore):
    """Of an orchestrator that has counted the leases of all others as over."""

    async def start(self, incarnation: Incarnation) -> None:
        await super().start(incarnation)
        for lease in (await self.renew()).others:
            assert await self.supersede(lease)


def migrated_file(path: Path) -> bytes:
    engine = writer_engine(path)
    migrate(engine, str(path))
    engine.dispose()
    return path.read_bytes()
