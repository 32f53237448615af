"""A SQLite database that fails when it is told to: at the n-th statement, or at the commit."""

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event


class FailingEngine:
    """Listens to an engine. `arm(n)`: the n-th statement from now on fails before it runs; `arm_commit`: COMMIT does.

    Fails once, with `error`. `statements` counts since the last `arm`, BEGIN and COMMIT included. `before_commit` is
    called, on the writer's thread. Make it before the engine's first connection.
    """

    before_commit: Callable[[], None]

    def __init__(self, engine: Engine) -> None:
        self.error: Exception = sqlite3.OperationalError("disk I/O error")
        self._fail_at = 0
        self._fail_commit = False
        self.statements = 0
        self.before_commit = lambda: None
        event.listen(engine, "do_connect", self._connect)

    def arm(self, n: int) -> None:
        self.statements, self._fail_at = 0, n

    def arm_commit(self) -> None:
        self._fail_commit = True

    def _connect(self, _dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> None:
        """Statements are seen at the driver, whoever sends them."""
        before = self._before

        class Cursor(sqlite3.Cursor):
            def execute(self, *arguments: Any) -> "Cursor":
                before(arguments[0])
                super().execute(*arguments)
                return self

            def executemany(self, *arguments: Any) -> "Cursor":
                before(arguments[0])
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

    def _before(self, statement: str) -> None:
        self.statements += 1
        if statement == "COMMIT":
            self.before_commit()
        if self.statements == self._fail_at:
            self._fail_at = 0
            raise self.error
        if statement == "COMMIT" and self._fail_commit:
            self._fail_commit = False
            raise self.error
