"""A read within a size holds no more than about that, however much is there."""

import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from orchestrator_svc.adapters.store.engines import reader_engine
from orchestrator_svc.adapters.store.reading.answers import get_batch_answers
from orchestrator_svc.adapters.store.reading.full import get_batch_full
from orchestrator_svc.adapters.store.tables import frames, proposals, standings
from tests.support.batches import Builder, judged
from tests.support.stores import SqliteOpener, commit, submitted

COUNT, SIZE = 40, 500_000
ROOM = 1 << 20


@pytest.fixture
async def large(tmp_path: Path) -> AsyncIterator[tuple[Engine, str]]:
    """A batch of 20 MB of results, its arguments 2 MB."""
    opener = SqliteOpener(tmp_path / "store.db")
    store = await opener.open()
    builder = Builder()
    keys = [f"p{number}" for number in range(COUNT)]
    arguments = '{"x":"' + "y" * (SIZE // 10) + '"}'
    await submitted(store, builder, builder.submit([judged(key, arguments=arguments) for key in keys]))
    await commit(store, builder.dispatch(*keys))
    await commit(store, builder.succeed(*keys, result='"' + "x" * SIZE + '"'))
    engine = reader_engine(opener.path)
    yield engine, builder.batch.id
    engine.dispose()
    await opener.close()


def peak(engine: Engine, read: Callable[..., Any], *arguments: Any) -> tuple[int, int]:
    """The most that the read held (bytes), and how many proposals it gave."""
    with engine.connect() as connection:
        tracemalloc.start()
        try:
            found = read(connection, "default", *arguments)
            return tracemalloc.get_traced_memory()[1], len(found[1])
        finally:
            tracemalloc.stop()


async def test_full_views(large: tuple[Engine, str]) -> None:
    engine, batch_id = large
    held, count = peak(engine, get_batch_full, batch_id, ROOM)
    assert count == 1
    assert held < 4 * ROOM


async def test_answers(large: tuple[Engine, str]) -> None:
    engine, batch_id = large
    held, count = peak(engine, get_batch_answers, batch_id, ROOM, ROOM)
    assert count == COUNT
    assert held < 4 * ROOM


def test_tables_of_wide_rows_have_a_rowid() -> None:
    """Without one, a look-up reads the rows that it passes whole."""
    for table in (proposals, standings, frames):
        assert table.dialect_options["sqlite"]["with_rowid"]
