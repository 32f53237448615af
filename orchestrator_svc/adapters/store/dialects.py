"""What SQLite and PostgreSQL do not share, in one place: texts, statements for many rows, and INSERT.

Everything else of the store is one code for both. The guard's two texts stand in `guard`.
"""

import itertools
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Dialect, Table, Text, exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator
from sqlalchemy.util import await_only

Rows = list[tuple[Any, ...]]

_COPIED = 32
JOINED = (64, 8)
"""Rows of one statement of `run_joined`."""
JOINED_WIDTH = 256 << 10
"""Characters of its wide columns, at most: the driver keeps a copy of what a statement was run with last."""
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


def places(dialect: Dialect, sql: str) -> str:
    """`:name` as the driver wants it; the parameters stand in the text in their order."""
    numbers = itertools.count(1)
    return re.sub(r":\w+", lambda _: f"${next(numbers)}" if dialect.name == "postgresql" else "?", sql)


def run(connection: Connection, sql: str, parameters: tuple[Any, ...] = ()) -> Rows:
    """One statement of a writer; returns its rows. Past SQLAlchemy on SQLite, whose bookkeeping takes longer than the
    statement: not over aiosqlite."""
    if connection.dialect.name == "postgresql":
        return [tuple(row) for row in connection.exec_driver_sql(sql, parameters)]
    driver: Any = connection.connection.driver_connection
    try:
        return driver.execute(sql, parameters).fetchall()
    except sqlite3.Error as error:
        raise exc.DBAPIError.instance(sql, parameters, error, sqlite3.Error, hide_parameters=True) from error


def run_many(connection: Connection, sql: str, rows: Rows) -> None:
    """A statement a row, all of them in one go. As `run`."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(sql, clean(rows))
        return
    driver: Any = connection.connection.driver_connection
    try:
        driver.executemany(sql, rows)
    except sqlite3.Error as error:
        raise exc.DBAPIError.instance(sql, rows, error, sqlite3.Error, hide_parameters=True, ismulti=True) from error


def can_join(dialect: Dialect) -> bool:
    """Whether `run_joined` works there, and is worth it."""
    return dialect.name == "sqlite"


def run_joined(connection: Connection, texts: Mapping[int, str], rows: Rows, wide: Sequence[int]) -> Rows:
    """Inserts many rows a statement, by the text for that many; returns those that are left over: the last few, and
    wide ones. `wide`: places of columns that may be.

    The driver lets go of the interpreter for each step of a statement, and waits until it has it again: where other
    threads are busy, that takes five times as long as the rows do.
    """
    for count in JOINED:
        left = Rows()
        for start in range(0, len(rows), count):
            some = rows[start : start + count]
            if len(some) < count or sum([len(row[place]) for row in some for place in wide]) > JOINED_WIDTH:
                left += some
            else:
                run(connection, texts[count], tuple(itertools.chain.from_iterable(some)))
        rows = left
    return rows


def can_copy(dialect: Dialect, rows: Rows) -> bool:
    """Whether many new rows had better come by `copy`: half the time, and a third of the loop's."""
    return dialect.name == "postgresql" and len(rows) >= _COPIED


def copy(connection: Connection, table: Table, columns: Sequence[str], rows: Rows) -> None:
    """Past SQLAlchemy, which has no COPY: raises what asyncpg raises."""
    driver: Any = connection.connection.driver_connection
    await_only(driver.copy_records_to_table(table.name, columns=columns, records=clean(rows)))


def remove_many(connection: Connection, table: Table, key: Mapping[str, str], rows: Rows) -> None:
    """By their keys, in one statement of PostgreSQL. `key`: its columns and their types; the tuples hold them."""
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(key.values(), 1))
    wanted = " AND ".join(f"{table.name}.{name} = j.{name}" for name in key)
    sql = f"DELETE FROM {table.name} USING unnest({arrays}) AS j ({', '.join(key)}) WHERE {wanted}"
    connection.exec_driver_sql(sql, as_columns(rows))


def of_keys(dialect: Dialect, table: Table, columns: Sequence[str], key: Sequence[str]) -> str:
    """The text that selects the rows whose `key`, of texts, is among the tuples of `as_parameters`."""
    found = ", ".join(f"{table.name}.{name}" for name in columns)
    if dialect.name == "postgresql":
        arrays = ", ".join(f"${place}::text[]" for place in range(1, len(key) + 1))
        wanted = " AND ".join(f"{table.name}.{name} = j.{name}" for name in key)
        return f"SELECT {found} FROM unnest({arrays}) AS j ({', '.join(key)}) JOIN {table.name} ON {wanted}"
    wanted = " AND ".join(
        f"{table.name}.{name} = json_extract(j.value, '$[{place}]')" for place, name in enumerate(key)
    )
    return f"SELECT {found} FROM json_each(?) AS j CROSS JOIN {table.name} ON {wanted}"


def as_parameters(dialect: Dialect, rows: Rows) -> tuple[Any, ...]:
    """Many rows for one statement: an array a column on PostgreSQL, one JSON text on SQLite. No text has U+0000."""
    return as_columns(rows) if dialect.name == "postgresql" else (orjson.dumps(rows).decode(),)


def as_columns(rows: Rows) -> tuple[Any, ...]:
    """For a statement whose parameters are arrays."""
    return tuple(map(list, zip(*rows, strict=True)))


def clean(rows: Rows) -> Rows:
    """As PostgreSQL takes it."""
    if not any(type(value) is str and _NUL in value for row in rows for value in row):
        return rows
    return [tuple([_without_nul(value) for value in row]) for row in rows]
