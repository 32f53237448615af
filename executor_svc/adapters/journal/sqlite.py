"""The journal in an SQLite file of its own: one thread, one connection, a lock beside it."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Collection, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from executor_svc.adapters.journal import rows
from executor_svc.adapters.journal.schema import connect
from executor_svc.domain.journalled import Entry
from executor_svc.ports.journal import Entries, Opened, Written
from shared.kernel.clock import Clock
from shared.kernel.errors import PreconditionError, UnavailableError
from shared.kernel.file_lock import FileLock, FileLockedError

T = TypeVar("T")
RETRY_AFTER = 1.0


class SqliteJournal:
    """Implements `Journal`. `path`: of the file; its folder is made if need be, its owner's alone."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._connection: sqlite3.Connection | None = None
        self._boot_no = 0
        self._position = 0

    async def open(self, boot_id: str, executor_id: str) -> Opened:
        return await self._in_thread(lambda: self._open(boot_id, executor_id))

    async def close(self, *, at_work: bool = False) -> None:
        await self._in_thread(lambda: self._close(at_work))
        await asyncio.to_thread(self._thread.shutdown)

    async def write(self, entries: Entries) -> Written:
        return await self._in_thread(lambda: self._write(entries))

    async def known_boots(self, boot_ids: Collection[str]) -> set[str]:
        return await self._in_thread(lambda: rows.known_boots(self._opened(), boot_ids))

    async def prune(self, before: int, limit: int) -> int:
        def work() -> int:
            with self._transaction() as connection:
                return rows.prune(connection, before, limit)

        return await self._in_thread(work)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError, MemoryError) as error:
            problem = "out of memory" if isinstance(error, MemoryError) else error
            raise UnavailableError(
                "JOURNAL_UNAVAILABLE",
                f"the journal {self._path} cannot be used now: {problem}",
                retry_after=RETRY_AFTER,
            ) from error

    # In the thread.

    def _open(self, boot_id: str, executor_id: str) -> Opened:
        _make_private(self._path.parent)
        try:
            self._lock.acquire(f"process {os.getpid()}, start {boot_id}")
        except FileLockedError as error:
            raise PreconditionError(
                "JOURNAL_LOCKED",
                f"another executor has {self._path}: {error.holder}. Stop it first, or give this one a data folder of "
                "its own",
                metadata={"path": str(self._path), "holder": error.holder},
            ) from None
        try:
            _create_private(self._path)
            self._connection = connect(self._path)
            file = self._path.stat()
            place = (str(file.st_dev), str(file.st_ino))
            with self._transaction() as connection:
                now = self._clock.time_ns()
                self._boot_no, opened = rows.begin_boot(connection, boot_id, executor_id, now, place)
        except BaseException:
            self._close()
            raise
        self._position = opened.position
        return opened

    def _close(self, at_work: bool = False) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if not at_work:
            self._lock.release()

    def _write(self, entries: Entries) -> Written:
        now, held = self._clock.time_ns(), dict[str, Entry]()
        with self._transaction() as connection:
            if entries.accepted:
                held.update(rows.accept(connection, entries.accepted, self._boot_no, now))
            position = self._position + len(entries.accepted) - len(held) + len(entries.ended)
            rows.end(connection, entries.ended, position, now)
            if entries.fenced:
                before = rows.fence(connection, entries.fenced, now)
                position += len({*entries.fenced}) - len(before)
                held.update(before)
            rows.forget(connection, entries.acknowledged, self._boot_no, now)
            rows.advance(connection, position)
        self._position = position
        return Written(position, held)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        connection = self._opened()
        if connection.in_transaction:  # there was no memory to end it
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself, or does so on the next use
                connection.execute("ROLLBACK")
            raise

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise UnavailableError("JOURNAL_UNAVAILABLE", f"the journal {self._path} is not open")
        return self._connection


def _make_private(folder: Path) -> None:
    """With the folders that it lies in, as far as they are not there: its owner's alone."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def _create_private(path: Path) -> None:
    """An empty file that only its owner reads; SQLite gives `-wal` and `-shm` its mode. One that is there is not
    opened: closing a handle on it would drop SQLite's locks."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
