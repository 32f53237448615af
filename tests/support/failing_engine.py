"""A database that fails when it is told to: at the n-th statement, or at the commit."""

import sqlite3
from typing import Any

from sqlalchemy import Engine, event, exc


class FailingEngine:
    """Listens to an engine. `arm(n)`: the n-th statement from now on fails before it runs; `arm_commit`: COMMIT does.

    Fails once. `statements` counts since the last `arm`.
    """

    def __init__(self, engine: Engine, error: Exception | None = None) -> None:
        self._error = error or sqlite3.OperationalError("disk I/O error")
        self._fail_at = 0
        self._fail_commit = False
        self.statements = 0
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "commit", self._before_commit)

    def arm(self, n: int) -> None:
        self.statements, self._fail_at = 0, n

    def arm_commit(self) -> None:
        self._fail_commit = True

    def _before(self, _connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        self.statements += 1
        if self.statements == self._fail_at:
            self._fail_at = 0
            raise exc.DBAPIError.instance(statement, parameters, self._error, sqlite3.Error)

    def _before_commit(self, _connection: object) -> None:
        if self._fail_commit:
            self._fail_commit = False
            raise exc.OperationalError("COMMIT", None, self._error)
