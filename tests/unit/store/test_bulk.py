"""Rows by the thousand: each is written once, and few statements do it."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text

from orchestrator_svc.adapters.store.bulk import BulkInsert, BulkUpsert
from orchestrator_svc.adapters.store.engines import writer_engine

THINGS = Table("things", MetaData(), Column("a", Integer, primary_key=True), Column("b", Text), Column("c", Integer))
WIDE = "x" * 100_000


@contextmanager
def things(folder: Path) -> Generator[Connection]:
    engine = writer_engine(folder / "store.db")
    with engine.begin() as connection:
        THINGS.create(connection)
        yield connection
    engine.dispose()


@contextmanager
def counted(connection: Connection) -> Generator[list[str]]:
    """The statements that the driver runs."""
    driver: Any = connection.connection.driver_connection
    statements: list[str] = []
    driver.set_trace_callback(statements.append)
    yield statements
    driver.set_trace_callback(None)


def stored(connection: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(THINGS.select().order_by(THINGS.c.a))]


def test_each_row_is_written_once_and_few_statements_do_it(tmp_path: Path) -> None:
    count, upsert = 64 + 8 + 3, BulkUpsert(THINGS, ("b", "c", "a"), ("a",))
    with things(tmp_path) as connection:
        upsert.run(connection, [("before", 0, number) for number in range(70)])
        with counted(connection) as statements:
            upsert.run(connection, [("after", -number, number) for number in range(count)])
        assert stored(connection) == [(number, "after", -number) for number in range(count)]
    assert len(statements) == 1 + 1 + 3


def test_many_wide_rows_go_one_by_one(tmp_path: Path) -> None:
    """The driver keeps a copy of what a statement was run with last: let that be one of them, not 64."""
    insert = BulkInsert(THINGS, ("a", "b", "c"), wide=("b",))
    with things(tmp_path) as connection:
        with counted(connection) as statements:
            insert.run(connection, [(number, WIDE if number >= 64 else "", 0) for number in range(128)])
        assert stored(connection) == [(number, WIDE if number >= 64 else "", 0) for number in range(128)]
    assert len(statements) == 1 + 64


def test_one_wide_row_among_many_is_written_with_them(tmp_path: Path) -> None:
    insert = BulkInsert(THINGS, ("a", "b", "c"), wide=("b",))
    with things(tmp_path) as connection:
        with counted(connection) as statements:
            insert.run(connection, [(number, WIDE if number == 9 else "", 0) for number in range(64)])
        assert len(stored(connection)) == 64
    assert len(statements) == 1
