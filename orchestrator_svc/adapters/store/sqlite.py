"""The store in one SQLite file: one thread writes on a connection of its own, others read beside it.

Short reads that somebody's call waits for run in threads (0.06 ms of the loop); long and rare ones (lists, whole
batches, recovery) through aiosqlite, whose steps cost 0.8 ms of the loop and take no thread away from the short ones.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from orchestrator_svc.adapters.store import migrating, owning
from orchestrator_svc.adapters.store.committing import write_group, write_halves
from orchestrator_svc.adapters.store.damage import damaged, is_damaged
from orchestrator_svc.adapters.store.engines import (
    READERS,
    create_private,
    listing_engine,
    reader_engine,
    writer_engine,
)
from orchestrator_svc.adapters.store.failures import is_unavailable, problem
from orchestrator_svc.adapters.store.file_lock import FileLock
from orchestrator_svc.adapters.store.sql import SqlStore
from orchestrator_svc.adapters.store.sqlite_writer import Writer
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.ports.codec import EventCodec
from orchestrator_svc.ports.ownership import Beat
from orchestrator_svc.ports.store import Committed, Incarnation
from shared.kernel.clock import Clock
from shared.kernel.errors import PreconditionError, UnavailableError

P = ParamSpec("P")
T = TypeVar("T")
RETRY_AFTER = 1.0
STANDBY_POLL = 0.02
_MAY_PASS = (SQLAlchemyError, OSError, MemoryError, RuntimeError)

_log = logging.getLogger(__name__)


class SqliteStore(SqlStore):
    """Implements `Store`, `Ownership` and `Commands`. `path`: of the database file; its folder is made if need be.

    `standby`: where another orchestrator has the file, `start` waits until that one is gone.
    """

    def __init__(self, path: Path, codec: EventCodec, clock: Clock, *, standby: bool = False) -> None:
        super().__init__()
        self._path, self._codec, self._clock, self._standby = path, codec, clock, standby
        self._lock = FileLock(path)
        self._writer = Writer(writer_engine(path), path)
        self._reader = reader_engine(path)
        self._lister = listing_engine(path)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._told = False
        # What the wall clock said, and from when on it is only counted.
        self._began, self._counted = 0, 0.0

    async def start(self, incarnation: Incarnation) -> None:
        await self._own(f"process {os.getpid()}, incarnation {incarnation.id}, version {incarnation.version}")
        self._incarnation = incarnation.id
        self._began, self._counted = self._clock.time_ns(), self._clock.monotonic()
        try:
            await self._in(self._writing, lambda: migrating.migrate(self._writer.engine, str(self._path)))
            self._start_readers()
            await self._write(owning.begin, incarnation, alone=True)
        except BaseException:
            await self.close()
            raise

    def _start_readers(self) -> None:
        """All of them at once: a pool that is refused a thread later on starts no more of them for good."""
        go = threading.Event()
        try:
            for _ in range(READERS):
                self._reading.submit(go.wait)
        except _MAY_PASS as error:
            raise self._unavailable(error) from error
        finally:
            go.set()

    async def _own(self, holder: str) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            await self._lock_file(holder)
            create_private(self._path)
        except OSError as error:
            self._lock.release()
            raise UnavailableError(
                "STORE_UNAVAILABLE",
                f"the data folder {self._path.parent} cannot be written to: {error.strerror}. It has to be on a disk "
                "that is not read-only, and belong to the user that the orchestrator runs as",
            ) from error

    async def _lock_file(self, holder: str) -> None:
        try:
            return self._lock.acquire(holder)
        except PreconditionError as error:
            if not self._standby:
                raise
            _log.warning("standing by until %s is free; it has: %s", self._path, error.metadata["holder"])
        while not self._lock.try_acquire(holder):  # noqa: ASYNC110 - the kernel tells nobody when it frees a lock
            await asyncio.sleep(STANDBY_POLL)
        _log.warning("taking over %s", self._path)

    async def until_kept(self, kept: bool) -> None:
        """It always is: the kernel takes no lock away."""
        if not kept:
            await asyncio.Event().wait()

    def give_up(self) -> None:
        """Its file is here: there is nobody to wait for."""

    async def close(self) -> None:
        """What has begun is finished first."""
        await self._lister.dispose()
        await asyncio.to_thread(self._close)
        self._lock.release()

    def _close(self) -> None:
        self._reading.shutdown()
        self._reader.dispose()
        self._writing.submit(self._writer.close)
        self._writing.shutdown()

    @property
    def shared(self) -> bool:
        return False

    async def renew(self) -> Beat:
        """Nobody else can have the file; the time moves with no step of the machine's clock."""
        return Beat(self._began + round((self._clock.monotonic() - self._counted) * 1e9), [])

    async def commit(self, writes: Sequence[BatchWrite]) -> Committed:
        now = self._clock.time_ns()
        return await self._in(self._writing, lambda: self._commit(writes, now))

    def _commit(self, writes: Sequence[BatchWrite], now: int) -> Committed:
        try:
            with self._writer.begin() as connection:
                return write_group(connection, writes, self._codec, now)
        except Exception as error:
            if is_unavailable(error):
                raise
        with self._writer.begin() as connection:
            return write_halves(connection, writes, self._codec, now)

    # -- how

    async def _read(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def snapshot() -> T:
            with self._reader.connect() as connection:
                return read(connection, *args, **kwargs)

        return await self._in(self._reading, snapshot)

    async def _list(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            async with self._lister.connect() as connection:
                return await connection.run_sync(read, *args, **kwargs)
        except _MAY_PASS as error:
            raise self._unavailable(error) from error

    async def _write(self, write: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def transaction() -> T:
            with self._writer.begin() as connection:
                return write(connection, *args, **kwargs)

        return await self._in(self._writing, transaction)

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except _MAY_PASS as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> Exception:
        if not is_unavailable(error):
            return error
        if is_damaged(error):
            found = damaged(self._path, problem(error))
            if not self._told:
                _log.error("%s", found)
            self._told = True
            return found
        return UnavailableError(
            "STORE_UNAVAILABLE",
            f"the database {self._path} cannot be used now: {problem(error)}",
            retry_after=RETRY_AFTER,
        )
