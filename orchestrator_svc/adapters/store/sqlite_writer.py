"""The one connection that writes a SQLite file, kept from one transaction to the next."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine


class Writer:
    """Of one thread. Getting its connection from the pool anew would take as long as a small transaction's statements.

    `engine`: its transactions begin with the write lock.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._kept: Connection | None = None

    @contextmanager
    def begin(self) -> Generator[Connection]:
        """A transaction. After one that fails the pool sees to the connection."""
        connection, self._kept = self._kept or self.engine.connect(), None
        try:
            with connection.begin():
                yield connection
        except BaseException:
            connection.close()
            raise
        self._kept = connection

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
        self.engine.dispose()
