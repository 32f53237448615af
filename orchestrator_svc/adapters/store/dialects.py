"""What SQLite and PostgreSQL do not share, in one place: texts, statements for many rows, and INSERT.

Everything else of the store is one code for both. The guard's two texts stand in `guard`.
"""

import itertools
import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Dialect, Table, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator

_NUL, _SHOWN_NUL = "\x00", "\N{SYMBOL FOR NULL}"


class PlainText(TypeDecorator[str]):
    """Compared byte by byte, as SQLite does, whatever the collation of a PostgreSQL database.

    PostgreSQL has no text with U+0000: there it becomes U+2400, which shows what it was. Events keep it.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def bind_processor(self, dialect: Dialect) -> Any:
        return _without_nul if dialect.name == "postgresql" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        return None


def _without_nul(value: Any) -> Any:
    return value.replace(_NUL, _SHOWN_NUL) if isinstance(value, str) and _NUL in value else value


def upsert(dialect: Dialect, table: Table) -> Any:
    """An INSERT that can say ON CONFLICT: SQLAlchemy has one a dialect, with the same methods."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)


def insert_many(dialect: Dialect, table: Table, columns: Sequence[str], on_conflict: str) -> str:
    """SQLite: a statement a row. PostgreSQL: one for all, whose parameters are columns."""
    names = ", ".join(f'"{name}"' for name in columns)
    if dialect.name == "postgresql":
        return f"INSERT INTO {table.name} ({names}) SELECT * FROM {_unnest(dialect, table, columns)} {on_conflict}"
    places = ", ".join("?" * len(columns))
    return f"INSERT INTO {table.name} ({names}) VALUES ({places}) {on_conflict}"


def update_many(dialect: Dialect, table: Table, columns: Sequence[str], key: Sequence[str]) -> str:
    """The parameters are `columns`, then `key`."""
    if dialect.name == "postgresql":
        rows = _unnest(dialect, table, [*columns, *key])
        names = ", ".join(f'"{name}"' for name in [*columns, *key])
        values = ", ".join(f'"{name}" = r."{name}"' for name in columns)
        wanted = " AND ".join(f"{table.name}.{name} = r.{name}" for name in key)
        return f"UPDATE {table.name} SET {values} FROM {rows} AS r ({names}) WHERE {wanted}"
    values = ", ".join(f'"{name}" = ?' for name in columns)
    wanted = " AND ".join(f"{name} = ?" for name in key)
    return f"UPDATE {table.name} SET {values} WHERE {wanted}"


def for_each(dialect: Dialect, sql: str) -> str:
    """A statement that is run row after row, on PostgreSQL too; its parameters stand in the text in their order."""
    numbers = itertools.count(1)
    return re.sub(r":\w+", lambda _: f"${next(numbers)}" if dialect.name == "postgresql" else "?", sql)


def many(dialect: Dialect, rows: list[tuple[Any, ...]]) -> Any:
    """The rows as those statements want them."""
    if dialect.name != "postgresql":
        return rows
    return tuple([_clean(column) for column in zip(*rows, strict=True)])


def _clean(column: tuple[Any, ...]) -> Sequence[Any]:
    if isinstance(column[0], str) and any(_NUL in value for value in column):
        return [_without_nul(value) for value in column]
    return column


def _unnest(dialect: Dialect, table: Table, columns: Sequence[str]) -> str:
    types = [table.c[name].type.compile(dialect).partition(" COLLATE")[0] for name in columns]
    places = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, 1))
    return f"unnest({places})"
