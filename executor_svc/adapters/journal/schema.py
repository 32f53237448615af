"""The journal's tables, and how a file comes to have them. A newer schema than this code's is left alone.

Times are ns since 1970 (UTC). A row of `calls` is narrow when it is written first and last; in between it holds the
outcome, whose result stands last.
"""

import sqlite3
from pathlib import Path

from executor_svc.domain.journalled import Standing
from shared.kernel.errors import PreconditionError, UnavailableError

VERSION = 1
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "cache_size=-8192", "temp_store=MEMORY")
_TABLES = f"""
CREATE TABLE journal (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    executor_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    writes INTEGER NOT NULL
);
CREATE TABLE boots (
    boot_no INTEGER PRIMARY KEY,
    boot_id TEXT NOT NULL UNIQUE,
    start_time INTEGER NOT NULL,
    device TEXT NOT NULL,
    inode TEXT NOT NULL,
    trusted INTEGER NOT NULL
);
CREATE TABLE calls (
    call_id TEXT PRIMARY KEY,
    standing INTEGER NOT NULL,
    boot_no INTEGER NOT NULL,
    since INTEGER NOT NULL,
    digest TEXT NOT NULL,
    ending TEXT NOT NULL DEFAULT '',
    effect TEXT NOT NULL DEFAULT '',
    position INTEGER NOT NULL DEFAULT 0,
    start_ns INTEGER NOT NULL DEFAULT 0,
    queue_seconds REAL NOT NULL DEFAULT 0,
    run_seconds REAL NOT NULL DEFAULT 0,
    failure TEXT NOT NULL DEFAULT '',
    result BLOB
) WITHOUT ROWID;
CREATE INDEX calls_forgettable ON calls (since) WHERE standing IN ({Standing.FORGOTTEN:d}, {Standing.FENCED:d});
PRAGMA user_version = {VERSION};
"""


def connect(path: Path) -> sqlite3.Connection:
    """Opens a journal, and makes its tables if it has none. For one thread. Raises PreconditionError (JOURNAL_NEWER),
    UnavailableError (JOURNAL_UNAVAILABLE), sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None)
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > VERSION:
            raise PreconditionError(
                "JOURNAL_NEWER",
                f"{path} has schema {found}, and this version of Greenlight knows up to {VERSION}: a newer version "
                "wrote it. Start that version, or give this one a data folder of its own",
                metadata={"found": str(found), "known": str(VERSION)},
            )
        if not found:
            _make_tables(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    (others,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if others:
        text = f"{path} is the database of something else; give the executor a data folder of its own"
        raise UnavailableError("JOURNAL_UNAVAILABLE", text)
    connection.executescript(f"BEGIN IMMEDIATE;{_TABLES}COMMIT;")
