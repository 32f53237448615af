"""One statement for many rows, as tuples: SQLAlchemy compiles it once a dialect, the driver runs it.

Handing SQLAlchemy a dict a row costs more than the database does. The texts are those that SQLite and PostgreSQL share.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table, text


class Bulk:
    """`sql` names its parameters as `:name`; `columns` says what each tuple holds, in the order of the text."""

    def __init__(self, sql: str, columns: Sequence[str]) -> None:
        self._text, self._columns = text(sql), list(columns)
        self._compiled: dict[str, str] = {}

    def run(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            connection.exec_driver_sql(self._sql(connection.dialect), rows)

    def _sql(self, dialect: Dialect) -> str:
        sql = self._compiled.get(dialect.name)
        if sql is None:
            compiled = self._text.compile(dialect=dialect)
            assert getattr(compiled, "positiontup", None) == self._columns
            sql = self._compiled[dialect.name] = str(compiled)
        return sql


def bulk_insert(table: Table, columns: Sequence[str], on_conflict: str = "") -> Bulk:
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(f":{name}" for name in columns)
    return Bulk(f"INSERT INTO {table.name} ({names}) VALUES ({values}) {on_conflict}", columns)


def bulk_update(table: Table, columns: Sequence[str], key: Sequence[str]) -> Bulk:
    """The tuples hold `columns`, then `key`."""
    values = ", ".join(f'"{name}" = :{name}' for name in columns)
    wanted = " AND ".join(f"{name} = :{name}" for name in key)
    return Bulk(f"UPDATE {table.name} SET {values} WHERE {wanted}", [*columns, *key])
