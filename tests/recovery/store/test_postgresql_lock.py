"""One active orchestrator a database: the lock says whose turn it is, the fence holds who is late from writing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.postgresql import PostgresqlStore
from orchestrator_svc.adapters.store.postgresql_engines import parse_url
from orchestrator_svc.ports.store import Incarnation
from shared.kernel.clock import SystemClock
from shared.kernel.errors import PreconditionError, UnavailableError
from tests.support.batches import START, AnyArguments, Builder, judged
from tests.support.postgresql import PostgresServer
from tests.support.proxy import CuttableProxy
from tests.support.stores import PostgresqlOpener, commit, submitted

pytestmark = pytest.mark.postgresql


@pytest.fixture
async def proxy(postgres: PostgresServer) -> AsyncIterator[CuttableProxy]:
    async with CuttableProxy(f"127.0.0.1:{postgres.port}") as proxy:
        yield proxy


@pytest.fixture
async def url(postgres: PostgresServer) -> AsyncIterator[str]:
    async with postgres.database(await postgres.migrated()) as url:
        yield url


@pytest.fixture
async def far(url: str, proxy: CuttableProxy, postgres: PostgresServer) -> AsyncIterator[PostgresqlOpener]:
    """An orchestrator whose way to the database may be cut."""
    opener = PostgresqlOpener(url.replace(str(postgres.port), proxy.address.rpartition(":")[2]))
    yield opener
    proxy.refusing = False
    await opener.close()


@pytest.fixture
async def near(url: str) -> AsyncIterator[PostgresqlOpener]:
    opener = PostgresqlOpener(url, prefix="near")
    yield opener
    await opener.close()


async def standing_by(url: str) -> tuple[PostgresqlStore, "asyncio.Task[None]"]:
    store = PostgresqlStore(parse_url(url), ProtobufEventCodec(), SystemClock(), lambda: None, standby=True)
    start = asyncio.get_running_loop().create_task(store.start(Incarnation("the standby", START, "0.1.0")))
    return store, start


async def test_a_second_refuses_and_says_who_has_it(near: PostgresqlOpener, url: str) -> None:
    await near.open()
    with pytest.raises(PreconditionError) as caught:
        await PostgresqlOpener(url).open()
    assert caught.value.reason == "STORE_LOCKED"
    assert f"greenlight {near.opened[-1]}" in caught.value.message
    assert "GREENLIGHT_STANDBY" in caught.value.message


async def test_who_stands_by_takes_over_when_it_is_free(
    near: PostgresqlOpener, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = await near.open()
    builder = Builder()
    await submitted(store, builder, builder.submit([judged("a")]))
    second, start = await standing_by(url)
    while "standing by until postgresql://127.0.0.1" not in caplog.text:  # noqa: ASYNC110 - a log
        await asyncio.sleep(0.01)
    assert not start.done()
    assert f"greenlight {near.opened[-1]}" in caplog.text
    await near.close()
    await start
    assert [batch.id async for batch in second.unfinished(AnyArguments())] == [builder.batch.id]
    await second.close()


async def test_who_stands_by_may_be_ended(near: PostgresqlOpener, url: str) -> None:
    await near.open()
    store, start = await standing_by(url)
    await asyncio.sleep(0.1)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not store.lock.held
    await near.open()


async def test_a_lock_that_is_lost_is_got_back(
    near: PostgresqlOpener, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    store = await near.open()
    builder = Builder()
    await submitted(store, builder, builder.submit([judged("a")]))
    sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
    await postgres.query("postgres", sql, f"greenlight {near.opened[-1]}")
    await store.until_kept(False)
    await store.until_kept(True)
    assert (await commit(store, builder.dispatch("a"))).lost == set()
    assert "is lost: nothing is written" in caplog.text
    assert near.taken == 0


async def test_nothing_is_written_while_it_is_lost(far: PostgresqlOpener, proxy: CuttableProxy) -> None:
    store = await far.open()
    builder = Builder()
    await submitted(store, builder, builder.submit([judged("a")]))
    proxy.refusing = True
    await proxy.cut()
    await store.until_kept(False)
    proxy.refusing = False  # the writer could connect at once; it waits for the lock
    changes = builder.dispatch("a")
    with pytest.raises(UnavailableError, match="the lock on"):
        await commit(store, changes)
    await store.until_kept(True)
    assert (await commit(store, changes)).lost == set()


async def test_its_own_dead_end_does_not_keep_it_from_the_lock(far: PostgresqlOpener, proxy: CuttableProxy) -> None:
    """The client's side is gone, the server's stands with the lock: as when a network breaks between them."""
    store = await far.open()
    assert isinstance(store, PostgresqlStore)
    store.lock._on_end(None)
    held = store.lock._connection
    store.lock._connection = None
    await store.until_kept(False)
    await store.until_kept(True)
    held.terminate()


async def test_who_was_taken_over_ends_and_writes_nothing(
    far: PostgresqlOpener,
    near: PostgresqlOpener,
    proxy: CuttableProxy,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = await far.open()
    assert isinstance(store, PostgresqlStore)
    old, new = Builder(), Builder()
    await submitted(store, old, old.submit([judged("a")]))
    proxy.refusing = True
    await proxy.cut()
    await store.until_kept(False)
    other = await near.open()
    # It has not noticed yet: all that it does while it thinks that it has the lock.
    monkeypatch.setattr(store.lock, "check", lambda: None)
    proxy.refusing = False
    for changes in (old.dispatch("a"), new.submit([judged("x")])):
        with pytest.raises(UnavailableError, match="another orchestrator has taken over"):
            await commit(store, changes)
    with pytest.raises(UnavailableError, match="another orchestrator has taken over"):
        await store.load_batch("default", old.batch.id, AnyArguments())
    assert await other.batch_head("default", new.batch.id) is None
    while not far.taken:  # noqa: ASYNC110 - a count
        await asyncio.sleep(0.01)
    assert "STORE_TAKEN: another orchestrator has taken over" in caplog.text
