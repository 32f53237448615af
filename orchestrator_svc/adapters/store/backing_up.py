"""A copy of the SQLite database, also of one in use: SQLite's own online backup, from one snapshot.

It runs in a process of its own, beside an orchestrator that goes on: a reader holds up no writer.
"""

import contextlib
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import NamedTuple

from orchestrator_svc.adapters.store.damage import damaged, is_damaged
from orchestrator_svc.adapters.store.tables import REVISION
from shared.kernel.errors import GreenlightError, PreconditionError, UnavailableError


class Backup(NamedTuple):
    """What was copied. `schema`: its revision."""

    schema: str
    batches: int
    size: int


def back_up(database: Path, target: Path) -> Backup:
    """`target` is there when it is whole, checked and on the disk, or not at all; it is its owner's alone (0600).

    Raises PreconditionError (BACKUP_EXISTS, STORE_NEWER), UnavailableError (STORE_UNAVAILABLE, STORE_DAMAGED,
    BACKUP_FAILED).
    """
    if target.exists():
        raise _exists(target)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise _failed(target, error) from error
    part = Path(name)
    os.close(descriptor)
    try:
        _copy(database, part, target)
        found = _check(part, database)
        _keep(part, target)
    finally:
        part.unlink(missing_ok=True)
    return found


def _copy(database: Path, part: Path, target: Path) -> None:
    """In one step: one in several begins anew with each commit beside it."""
    with contextlib.closing(_open_source(database)) as source, contextlib.closing(sqlite3.connect(part)) as copy:
        try:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, that may be read where nobody may write
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise _failed(target, error) from error
            raise _unreadable(database, error) from error


def _open_source(database: Path) -> sqlite3.Connection:
    """To read only, so that none is made where there is none."""
    try:
        connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        connection.execute("PRAGMA query_only=ON")
        return connection
    except sqlite3.Error as error:
        raise _unreadable(database, error) from error


def _check(part: Path, database: Path) -> Backup:
    """The copy, not the original: that is what somebody will rely on."""
    with contextlib.closing(sqlite3.connect(part)) as copy:
        try:
            (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            (schema,) = copy.execute("SELECT version_num FROM alembic_version").fetchone()
            (batches,) = copy.execute("SELECT count(*) FROM batches WHERE published = 1").fetchone()
        except sqlite3.Error as error:
            raise damaged(database, error) from error
    if schema > REVISION:
        raise PreconditionError(
            "STORE_NEWER",
            f"{database} has schema {schema}, and this version of Greenlight knows up to {REVISION}: let the version "
            "that wrote it make the backup",
        )
    return Backup(schema, batches, part.stat().st_size)


def _keep(part: Path, target: Path) -> None:
    """A link does not overwrite, whoever was quicker."""
    try:
        for path in (part, part.parent):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        os.link(part, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise _failed(target, error) from error


def _exists(target: Path) -> GreenlightError:
    return PreconditionError("BACKUP_EXISTS", f"{target} is there already, and is not overwritten: name another file")


def _failed(target: Path, error: Exception) -> GreenlightError:
    return UnavailableError("BACKUP_FAILED", f"no backup can be written to {target}: {error}")


def _unreadable(database: Path, error: sqlite3.Error) -> GreenlightError:
    if is_damaged(error):
        return damaged(database, error)
    return UnavailableError("STORE_UNAVAILABLE", f"the database {database} cannot be read: {error}")
