"""One statement for many rows, as tuples: its text is made once a dialect, the driver runs it.

Handing SQLAlchemy a dict a row costs more than the database does.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table

from orchestrator_svc.adapters.store.dialects import for_each, insert_many, many, update_many

Rows = list[tuple[Any, ...]]


class Bulk:
    """`sql`: its text in a dialect. `arrange`: its parameters there, from the rows."""

    def __init__(self, sql: Callable[[Dialect], str], arrange: Callable[[Dialect, Rows], Any] = many) -> None:
        self._sql, self._arrange = sql, arrange
        self._texts: dict[str, str] = {}

    def run(self, connection: Connection, rows: Rows) -> None:
        if rows:
            dialect = connection.dialect
            text = self._texts.get(dialect.name)
            if text is None:
                text = self._texts[dialect.name] = self._sql(dialect)
            connection.exec_driver_sql(text, self._arrange(dialect, rows))


def bulk_insert(table: Table, columns: Sequence[str], on_conflict: str = "") -> Bulk:
    """The tuples hold `columns`."""
    return Bulk(lambda dialect: insert_many(dialect, table, columns, on_conflict))


def bulk_update(table: Table, columns: Sequence[str], key: Sequence[str]) -> Bulk:
    """The tuples hold `columns`, then `key`."""
    return Bulk(lambda dialect: update_many(dialect, table, columns, key))


def bulk_each(sql: str) -> Bulk:
    """`:name` in the order of the tuples. For rows that may meet: two that change the same row both do."""
    return Bulk(lambda dialect: for_each(dialect, sql), lambda dialect, rows: rows)
