"""One statement for many rows, as tuples: SQLAlchemy compiles it once a dialect, the driver runs it.

Handing SQLAlchemy a dict a row costs more than the database does.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ClauseElement, Connection, Dialect, Table, bindparam, text, update


class Bulk:
    """`columns`: what each tuple holds, in order."""

    def __init__(self, statement: Callable[[Dialect], ClauseElement], columns: Sequence[str]) -> None:
        self._statement, self._columns = statement, list(columns)
        self._compiled: dict[str, str] = {}

    def run(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            connection.exec_driver_sql(self._sql(connection.dialect), rows)

    def _sql(self, dialect: Dialect) -> str:
        sql = self._compiled.get(dialect.name)
        if sql is None:
            compiled = self._statement(dialect).compile(dialect=dialect)
            assert getattr(compiled, "positiontup", None) == self._columns
            sql = self._compiled[dialect.name] = str(compiled)
        return sql


def bulk_insert(table: Table, columns: Sequence[str]) -> Bulk:
    def statement(dialect: Dialect) -> ClauseElement:
        quote = dialect.identifier_preparer.quote
        names = ", ".join(quote(name) for name in columns)
        values = ", ".join(f":{name}" for name in columns)
        return text(f"INSERT INTO {quote(table.name)} ({names}) VALUES ({values})")

    return Bulk(statement, columns)


def bulk_update(table: Table, columns: Sequence[str], key: Sequence[str]) -> Bulk:
    """The tuples hold `columns`, then `key`."""
    values: list[tuple[Any, Any]] = [(table.c[name], bindparam(name)) for name in columns]
    statement = update(table).ordered_values(*values)
    for name in key:
        statement = statement.where(table.c[name] == bindparam(f"key_{name}"))
    return Bulk(lambda _: statement, [*columns, *(f"key_{name}" for name in key)])
