"""A batch whose rows make no sense (a hand in the database, a fault of an earlier version) holds up no other."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator_svc.adapters.store.reading import whole
from orchestrator_svc.ports.store import Store
from orchestrator_svc.ports.views import BatchFilter
from shared.kernel.errors import UnavailableError
from tests.support.batches import AnyArguments, Builder, judged
from tests.support.stores import SqliteOpener, submitted, taken_due


async def one(store: Store) -> Builder:
    builder = Builder()
    return await submitted(store, builder, builder.submit([judged("a")]))


async def test_the_others_go_on_after_a_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    opener = SqliteOpener(tmp_path / "store.db")
    store = await opener.open()
    bad, good = await one(store), await one(store)
    await opener.close()
    with sqlite3.connect(opener.path) as connection:
        connection.execute("UPDATE standings SET attempts = 'nonsense' WHERE batch_no = ?", (bad.batch.number,))
    connection.close()

    store = await opener.open()
    assert [batch.id for batch in await taken_due(store)] == [good.batch.id]
    assert f"batch {bad.batch.id} cannot be read" in caplog.text
    with pytest.raises(ValueError, match="invalid literal"):
        await store.take("default", bad.batch.id, AnyArguments())
    await opener.close()


async def test_where_memory_is_short_none_is_left_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opener = SqliteOpener(tmp_path / "store.db")
    store = await opener.open()
    builders = [await one(store), await one(store)]
    store = await opener.open()

    def short(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as shortage:
        shortage.setattr(whole, "read_proposal", short)
        with pytest.raises(UnavailableError, match="out of memory"):
            await taken_due(store)
    assert [batch.id for batch in await taken_due(store)] == [builder.batch.id for builder in builders]
    await opener.close()


@contextmanager
def no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def short(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as shortage:
        shortage.setattr(threading.Thread, "start", short)
        yield


async def test_where_there_is_no_thread_for_it_it_can_be_read_another_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opener = SqliteOpener(tmp_path / "store.db")
    builder = await one(await opener.open())
    store = await opener.open()
    with (
        no_thread_can_be_started(monkeypatch),
        pytest.raises(UnavailableError, match="cannot be used now: can't start new thread"),
    ):
        await store.list_batches("default", BatchFilter(), None, 10)
    assert [batch.id for batch in (await store.list_batches("default", BatchFilter(), None, 10)).batches] == [
        builder.batch.id
    ]
    await opener.close()


async def test_short_reads_have_their_threads_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opener = SqliteOpener(tmp_path / "store.db")
    builder = await one(await opener.open())
    store = await opener.open()
    with no_thread_can_be_started(monkeypatch):
        read = await asyncio.gather(*(store.get_batch("default", builder.batch.id) for _ in range(20)))
    assert None not in read
    await opener.close()
