"""What outlives a start of the orchestrator: a store that is opened again."""

from abc import ABC, abstractmethod
from pathlib import Path

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.engines import writer_engine
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.adapters.store.migrating import migrate
from orchestrator_svc.adapters.store.sqlite import SqliteStore
from orchestrator_svc.ports.store import Store
from shared.kernel.clock import SystemClock


class Disk(ABC):
    @abstractmethod
    def open(self) -> Store: ...


class MemoryDisk(Disk):
    def __init__(self) -> None:
        self._store = MemoryStore(ProtobufEventCodec())

    def open(self) -> Store:
        return self._store


class SqliteDisk(Disk):
    """`migrated`: the content of a file that is, to begin with: that takes a tenth of migrating one."""

    def __init__(self, path: Path, migrated: bytes) -> None:
        self._path = path
        path.write_bytes(migrated)

    def open(self) -> Store:
        return SqliteStore(self._path, ProtobufEventCodec(), SystemClock())


def migrated_file(path: Path) -> bytes:
    engine = writer_engine(path)
    migrate(engine, str(path))
    engine.dispose()
    return path.read_bytes()
