"""A PostgreSQL that has taken connections and answers nothing: whoever ends does not wait for it."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from orchestrator_svc.adapters.store.postgresql import PostgresqlStore
from shared.kernel.errors import UnavailableError
from tests.support.batches import Builder, judged
from tests.support.postgresql import PostgresServer
from tests.support.proxy import CuttableProxy
from tests.support.stores import PostgresqlOpener, commit, submitted

pytestmark = pytest.mark.postgresql
PATIENCE = 10
"""Seconds; a statement has 30, and so would each connection that is closed."""


@pytest.fixture
async def proxy(postgres: PostgresServer) -> AsyncIterator[CuttableProxy]:
    async with CuttableProxy(f"127.0.0.1:{postgres.port}") as proxy:
        yield proxy


@pytest.fixture
async def opener(postgres: PostgresServer, proxy: CuttableProxy) -> AsyncIterator[PostgresqlOpener]:
    async with postgres.database(await postgres.migrated()) as url:
        yield PostgresqlOpener(url.replace(str(postgres.port), proxy.address.rpartition(":")[2]))


async def used(opener: PostgresqlOpener) -> tuple[PostgresqlStore, Builder]:
    """With a connection of each kind, but for commands."""
    store, builder = await opener.open(), Builder()
    assert isinstance(store, PostgresqlStore)
    await submitted(store, builder, builder.submit([judged("a")]))
    await asyncio.gather(store.renew(), store.load_tools(), store.load_tools())
    return store, builder


async def test_it_is_told_in_words(opener: PostgresqlOpener, proxy: CuttableProxy) -> None:
    store, _ = await used(opener)
    proxy.swallowing = True
    with pytest.raises(UnavailableError, match="cannot be used now: it does not answer in time"):
        await store.renew()
    await store.close()


async def test_closing_it_takes_a_moment(
    opener: PostgresqlOpener, proxy: CuttableProxy, caplog: pytest.LogCaptureFixture
) -> None:
    store, _ = await used(opener)
    proxy.swallowing = True
    async with asyncio.timeout(PATIENCE):
        await store.close()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_given_up_all_that_waits_fails_and_nothing_more_is_begun(
    opener: PostgresqlOpener, proxy: CuttableProxy
) -> None:
    store, builder = await used(opener)
    proxy.swallowing = True
    waiting = [
        asyncio.ensure_future(work)
        for work in (commit(store, builder.dispatch("a")), store.end(), store.renew(), store.load_tools())
    ]
    await asyncio.sleep(0.1)
    assert not any(work.done() for work in waiting)
    store.give_up()
    async with asyncio.timeout(PATIENCE):
        for error in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(error, UnavailableError)
            assert "does not answer, and was given up" in error.message
    connections = proxy.connections
    proxy.swallowing = False
    with pytest.raises(UnavailableError, match="given up"):
        await store.load_tools()
    await store.close()
    assert proxy.connections == connections
