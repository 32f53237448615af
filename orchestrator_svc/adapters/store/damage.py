"""Whether SQLite says that its file is damaged, or none of its own: no waiting helps there, a backup does."""

import sqlite3
from pathlib import Path

from shared.kernel.errors import UnavailableError

_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PRIMARY = 0xFF


def is_damaged(error: BaseException) -> bool:
    """An error of sqlite3, or SQLAlchemy's around one."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY in _CODES


def damaged(path: Path, problem: object) -> UnavailableError:
    """What is wrong, and what to do about it."""
    return UnavailableError(
        "STORE_DAMAGED",
        f"{path} is damaged, or no database of ours ({problem}). Stop the orchestrator, put the file and those beside "
        "it away, and restore a backup",
        retry_after=60.0,
    )
