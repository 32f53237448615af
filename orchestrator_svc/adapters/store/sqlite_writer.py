"""The one connection that writes a SQLite file, kept from one transaction to the next."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from orchestrator_svc.adapters.store.dialects import run
from orchestrator_svc.adapters.store.engines import BEGIN


class Writer:
    """Of one thread. Getting its connection from the pool anew would take as long as a small transaction's statements,
    and having SQLAlchemy begin and end transactions half as long (0.17 ms where nothing has run for a while).

    `engine`: its transactions begin with the write lock. `path`: of its file.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine, self._path = engine, path
        self._kept: Connection | None = None
        self._file: tuple[int, int] | None = None

    @contextmanager
    def begin(self) -> Generator[Connection]:
        """A transaction, which nobody else ends. After one that fails the pool sees to the connection.

        Raises OperationalError where the file is not the one of the first transaction: what is written to one that was
        moved or removed is gone with the process.
        """
        self._check()
        connection, self._kept = self._kept or self.engine.connect(), None
        try:
            run(connection, BEGIN)
            yield connection
            run(connection, "COMMIT")
            if connection.in_transaction():
                connection.commit()  # ends what SQLAlchemy takes for a transaction, where a statement came from there
        except BaseException:
            connection.close()
            raise
        self._kept = connection

    def close(self) -> None:
        try:
            if self._kept is not None:
                self._kept.close()
        finally:
            self.engine.dispose()

    def _check(self) -> None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            file = None
        else:
            file = (found.st_dev, found.st_ino)
        if file is None or self._file not in (None, file):
            raise OperationalError(None, None, OSError("the file that was opened was moved or removed: put it back"))
        self._file = file
