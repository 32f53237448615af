"""Rows by the thousand: each is written once, and few statements do it."""

from pathlib import Path

from sqlalchemy import Column, Integer, MetaData, Table, Text

from orchestrator_svc.adapters.store.bulk import BulkUpsert
from orchestrator_svc.adapters.store.engines import writer_engine

THINGS = Table("things", MetaData(), Column("a", Integer, primary_key=True), Column("b", Text), Column("c", Integer))
COUNT = 64 + 8 + 3


def test_each_row_is_written_once_and_few_statements_do_it(tmp_path: Path) -> None:
    engine = writer_engine(tmp_path / "store.db")
    upsert = BulkUpsert(THINGS, ("b", "c", "a"), ("a",))
    statements: list[str] = []
    with engine.begin() as connection:
        THINGS.create(connection)
        upsert.run(connection, [("before", 0, number) for number in range(70)])
        connection.connection.driver_connection.set_trace_callback(statements.append)  # type: ignore[union-attr] # sqlite3's
        upsert.run(connection, [("after", -number, number) for number in range(COUNT)])
        connection.connection.driver_connection.set_trace_callback(None)  # type: ignore[union-attr] # sqlite3's
        rows = connection.execute(THINGS.select().order_by(THINGS.c.a)).all()
    engine.dispose()
    assert [tuple(row) for row in rows] == [(number, "after", -number) for number in range(COUNT)]
    assert len(statements) == 1 + 1 + 3
