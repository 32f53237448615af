"""A SQLite database that fails when it is told to: at the n-th statement, or at the commit."""

import sqlite3
from typing import Any

from sqlalchemy import Engine, event, exc


class FailingEngine:
    """Listens to an engine. `arm(n)`: the n-th statement from now on fails before it runs; `arm_commit`: COMMIT does.

    Fails once. `statements` counts since the last `arm`, BEGIN included. Make it before the engine's first connection.
    """

    def __init__(self, engine: Engine) -> None:
        self._error = sqlite3.OperationalError("disk I/O error")
        self._fail_at = 0
        self._fail_commit = False
        self.statements = 0
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "commit", self._before_commit)

    def arm(self, n: int) -> None:
        self.statements, self._fail_at = 0, n

    def arm_commit(self) -> None:
        self._fail_commit = True

    def _connect(self, _dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> None:
        """Statements are seen at the driver, whoever sends them."""
        before = self._before

        class Cursor(sqlite3.Cursor):
            def execute(self, *arguments: Any) -> "Cursor":
                before()
                super().execute(*arguments)
                return self

            def executemany(self, *arguments: Any) -> "Cursor":
                before()
                super().executemany(*arguments)
                return self

        class Connection(sqlite3.Connection):
            def cursor(self, *_: Any) -> Cursor:  # pyright: ignore[reportIncompatibleMethodOverride]
                return Cursor(self)

            def execute(self, *arguments: Any) -> Cursor:
                return self.cursor().execute(*arguments)

            def executemany(self, *arguments: Any) -> Cursor:
                return self.cursor().executemany(*arguments)

        options["factory"] = Connection

    def _before(self) -> None:
        self.statements += 1
        if self.statements == self._fail_at:
            self._fail_at = 0
            raise self._error

    def _before_commit(self, _connection: object) -> None:
        if self._fail_commit:
            self._fail_commit = False
            raise exc.OperationalError("COMMIT", None, self._error)
