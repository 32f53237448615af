"""A database of the first schema, brought to this one: what it holds has owners, or none, as it should."""

from collections.abc import AsyncIterator
from pathlib import Path
from time import time_ns

import pytest
from sqlalchemy import Connection

from orchestrator_svc.adapters.store.engines import writer_engine
from tests.support.batches import Builder, judged
from tests.support.stores import SqliteOpener, commit, listed_batches, submitted, taken_due

_BACK = (
    "DROP TABLE transactions",
    "DROP TABLE inbox",
    "CREATE INDEX batches_by_number ON batches (tenant, batch_no)",
    "DROP INDEX batches_of_session",
    "CREATE INDEX batches_of_session ON batches (tenant, session_id, batch_no)",
    "DROP INDEX batches_unfinished",
    "CREATE INDEX batches_unfinished ON batches (batch_no) WHERE state < 5",
    "DROP INDEX batches_owned",
    "DROP INDEX batches_due",
    "ALTER TABLE batches DROP COLUMN wake_time",
    "ALTER TABLE incarnations DROP COLUMN counter",
    "UPDATE batches SET incarnation = 'incarnation-1'",
    "UPDATE alembic_version SET version_num = '0001'",
)


@pytest.fixture
async def opener(tmp_path: Path) -> AsyncIterator[SqliteOpener]:
    opener = SqliteOpener(tmp_path / "store.db")
    yield opener
    await opener.close()


def back(connection: Connection) -> None:
    """As the first revision left it."""
    for sql in _BACK:
        connection.exec_driver_sql(sql)


async def test_what_it_holds_goes_on(opener: SqliteOpener) -> None:
    store = await opener.open()
    running, done, idle = Builder(), Builder(), Builder()
    for builder in (running, done):
        await submitted(store, builder, builder.submit([judged("a")]))
    await commit(store, done.dispatch("a"))
    await commit(store, done.succeed("a"))
    idle.batch.open = True
    await submitted(store, idle, idle.submit([]))
    await opener.close()
    engine = writer_engine(opener.path)
    with engine.begin() as connection:
        back(connection)
    engine.dispose()

    before = time_ns() - 10**9
    store = await opener.open()
    assert [batch.id for batch in await taken_due(store, 0)] == [running.batch.id]
    end = await store.next_wake()
    assert end is not None
    assert before <= end - idle.batch.idle_timeout <= time_ns()
    assert [batch.id for batch in await taken_due(store, end)] == [idle.batch.id]
    listed = [builder.batch.id for builder in (idle, done, running)]
    assert [view.id for view in await listed_batches(store)] == listed
