"""One statement for many rows, as tuples: its text is made once a dialect, the driver runs it.

Handing SQLAlchemy a dict a row costs more than the database does.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table

from orchestrator_svc.adapters.store.dialects import insert_many, many, update_many


class Bulk:
    """`sql`: its text in a dialect."""

    def __init__(self, sql: Callable[[Dialect], str]) -> None:
        self._sql = sql
        self._texts: dict[str, str] = {}

    def run(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            dialect = connection.dialect
            text = self._texts.get(dialect.name)
            if text is None:
                text = self._texts[dialect.name] = self._sql(dialect)
            connection.exec_driver_sql(text, many(dialect, rows))


def bulk_insert(table: Table, columns: Sequence[str], on_conflict: str = "") -> Bulk:
    """The tuples hold `columns`."""
    return Bulk(lambda dialect: insert_many(dialect, table, columns, on_conflict))


def bulk_update(table: Table, columns: Sequence[str], key: Sequence[str]) -> Bulk:
    """The tuples hold `columns`, then `key`."""
    return Bulk(lambda dialect: update_many(dialect, table, columns, key))
