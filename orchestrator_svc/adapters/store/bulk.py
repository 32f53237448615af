"""One statement for many rows, as tuples: its text is made once a dialect, the driver runs it.

Handing SQLAlchemy a dict a row, or a list to look for, costs more than the database does.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Table

from orchestrator_svc.adapters.store.dialects import (
    JOINED,
    Rows,
    as_parameters,
    can_copy,
    can_join,
    copy,
    of_keys,
    places,
    run,
    run_joined,
    run_many,
)


class Bulk:
    """`sql` says its parameters as `:name`, in the order of the tuples."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._texts: dict[str, str] = {}

    def run(self, connection: Connection, rows: Rows) -> None:
        if rows:
            dialect = connection.dialect
            text = self._texts.get(dialect.name)
            if text is None:
                text = self._texts[dialect.name] = places(dialect, self._sql)
            run_many(connection, text, rows)


class BulkInsert(Bulk):
    """The tuples hold `columns`, of which `wide` may be. `on_conflict`: what then, as SQL."""

    def __init__(
        self, table: Table, columns: Sequence[str], on_conflict: str = "", *, wide: Sequence[str] = ()
    ) -> None:
        names = ", ".join(f'"{name}"' for name in columns)
        values = ", ".join(f":{name}" for name in columns)
        into = f"INSERT INTO {table.name} ({names}) VALUES"
        super().__init__(f"{into} ({values}) {on_conflict}")
        self._table, self._columns, self._plain = table, columns, not on_conflict
        self._wide = [columns.index(name) for name in wide]
        marks = f"({', '.join('?' * len(columns))})"
        self._joined = {count: f"{into} {', '.join([marks] * count)} {on_conflict}" for count in JOINED}

    def run(self, connection: Connection, rows: Rows) -> None:
        if self._plain and can_copy(connection.dialect, rows):
            copy(connection, self._table, self._columns, rows)
        elif can_join(connection.dialect):
            super().run(connection, run_joined(connection, self._joined, rows, self._wide))
        else:
            super().run(connection, rows)


class BulkUpsert(BulkInsert):
    """The tuples hold `columns`, of which `key` are the primary key: a row that is there takes on the others, one that
    is not is made."""

    def __init__(self, table: Table, columns: Sequence[str], key: Sequence[str], *, wide: Sequence[str] = ()) -> None:
        others = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in key)
        super().__init__(table, columns, f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {others}", wide=wide)


class LookUp:
    """`columns` of the rows whose `key`, texts that one index begins with, is among the tuples."""

    def __init__(self, table: Table, columns: Sequence[str], key: Sequence[str]) -> None:
        self._table, self._columns, self._key = table, columns, key
        self._texts: dict[str, str] = {}

    def run(self, connection: Connection, keys: Rows) -> Rows:
        """One text, and one plan, however many there are to look for."""
        if not keys:
            return []
        dialect = connection.dialect
        text = self._texts.get(dialect.name)
        if text is None:
            text = self._texts[dialect.name] = of_keys(dialect, self._table, self._columns, self._key)
        return run(connection, text, as_parameters(dialect, keys))
