"""SQLite as the store needs it: one connection that writes, durably; a few that read, each in a snapshot."""

import contextlib
import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orchestrator_svc.adapters.store.dialects import run

READERS = 4
LISTERS = 2
BEGIN = "BEGIN IMMEDIATE"
"""With the write lock, so that no transaction fails half-way for want of it."""

_BUSY_SECONDS = 5.0
_WRITER_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "cache_size=-16384", "temp_store=MEMORY")
_READER_PRAGMAS = ("query_only=ON",)


def create_private(path: Path) -> None:
    """An empty database that only its owner reads; SQLite gives `-wal` and `-shm` the mode of the file.

    One that is there keeps its mode, and is not opened: closing a handle on it would drop SQLite's locks.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def writer_engine(path: Path) -> Engine:
    """Transactions take the write lock when they begin; one that was begun past SQLAlchemy is gone on with."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_SECONDS},
    )
    _prepare(engine, _WRITER_PRAGMAS, BEGIN)
    return engine


def reader_engine(path: Path) -> Engine:
    """Each use is one snapshot, by any thread."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )
    _prepare(engine, _READER_PRAGMAS, "BEGIN")
    return engine


def listing_engine(path: Path) -> AsyncEngine:
    """Each use is one snapshot, awaited: for reads that are long, and not many."""
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),
        pool_size=LISTERS,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_SECONDS},
    )

    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in _READER_PRAGMAS:
            connection.cursor().execute(f"PRAGMA {pragma}")

    def began(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine.sync_engine, "connect", connected)
    event.listen(engine.sync_engine, "begin", began)
    return engine


def _prepare(engine: Engine, pragmas: tuple[str, ...], begin: str) -> None:
    """The driver begins no transaction by itself. Where its user may have begun one past SQLAlchemy, with the same
    statement, that is gone on with."""

    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    def began(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if begin != BEGIN or not driver.in_transaction:
            run(connection, begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", began)
