"""PostgreSQL in trouble: settings that lose data, a newer schema, connections that end, locks, a pool that is empty."""

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator_svc.adapters.store import postgresql, postgresql_engines
from orchestrator_svc.adapters.store.postgresql import PostgresqlStore
from orchestrator_svc.adapters.store.postgresql_migrating import lock_schema
from orchestrator_svc.adapters.store.tables import REVISION
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.ports.store import BatchHead, Store
from shared.kernel.errors import InvalidError, PreconditionError, UnavailableError
from tests.bench.processes import free_port
from tests.support.batches import Builder, judged
from tests.support.postgresql import PASSWORD, PostgresServer, postgres_server
from tests.support.proxy import CuttableProxy
from tests.support.stores import PostgresqlOpener, commit, submitted

pytestmark = pytest.mark.postgresql


@pytest.fixture
async def opener(postgres: PostgresServer) -> AsyncIterator[PostgresqlOpener]:
    async with postgres.database(await postgres.migrated()) as url:
        opener = PostgresqlOpener(url)
        yield opener
        await opener.close()


def name(opener: PostgresqlOpener) -> str:
    return opener.url.rpartition("/")[2]


async def one(store: Store, *keys: str) -> Builder:
    builder = Builder()
    return await submitted(store, builder, builder.submit([judged(key) for key in keys or ("a",)]))


async def end_backends(postgres: PostgresServer, application: str) -> int:
    """As a fail-over or an administrator does."""
    sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE $1"
    return len(await postgres.query("postgres", sql, application))


class TestStart:
    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("nonsense", "is no address"),
            ("mysql://u:{}@h/d", "no database that is known"),
            ("postgresql+asyncpg://u:{}@h", "no database that is known"),
            ("postgresql+asyncpg://u:{}@h:x/d", "is no address"),
            ("postgresql+asyncpg://u:{}@h/d?sslmode=require", "sslmode; only ssl is known"),
        ],
    )
    async def test_what_is_no_address_is_refused_without_its_password(self, url: str, says: str) -> None:
        with pytest.raises(InvalidError, match=says) as caught:
            PostgresqlOpener(url.replace("{}", PASSWORD))._make()
        assert caught.value.reason == "STORE_INVALID"
        assert PASSWORD not in str(caught.value)

    @pytest.mark.parametrize("wrong", ["port", "password", "database"])
    async def test_what_cannot_be_reached_is_unavailable_and_the_password_stays_secret(
        self, opener: PostgresqlOpener, caplog: pytest.LogCaptureFixture, wrong: str
    ) -> None:
        caplog.set_level(logging.DEBUG)
        port = opener.url.rpartition(":")[2].partition("/")[0]
        changed = {"port": (port, str(free_port())), "password": (PASSWORD, "0ther"), "database": (name(opener), "no")}
        with pytest.raises(UnavailableError) as caught:
            await PostgresqlOpener(opener.url.replace(*changed[wrong])).open()
        assert caught.value.reason == "STORE_UNAVAILABLE"
        assert "127.0.0.1" in caught.value.message
        for secret in (PASSWORD, "0ther"):
            assert secret not in str(caught.value) + caplog.text

    async def test_a_server_whose_commits_may_be_lost_is_refused(
        self, opener: PostgresqlOpener, postgres: PostgresServer
    ) -> None:
        await postgres.query("postgres", f'ALTER DATABASE "{name(opener)}" SET synchronous_commit = off')
        with pytest.raises(PreconditionError, match=r"synchronous_commit = off: .*ALTER ROLE") as caught:
            await opener.open()
        assert caught.value.reason == "STORE_UNSUITABLE"
        await postgres.query("postgres", f'ALTER DATABASE "{name(opener)}" RESET synchronous_commit')
        await opener.open()

    async def test_a_server_without_fsync_is_refused(self) -> None:
        message = r"fsync = off: .*postgresql\.conf"
        with postgres_server("fsync=off") as server, pytest.raises(PreconditionError, match=message) as caught:
            await PostgresqlOpener(server.url()).open()
        assert caught.value.reason == "STORE_UNSUITABLE"

    async def test_another_encoding_is_refused(self, postgres: PostgresServer) -> None:
        await postgres.query(
            "postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        )
        with pytest.raises(PreconditionError, match=r"LATIN1: .*UTF8"):
            await PostgresqlOpener(postgres.url("latin")).open()
        await postgres.query("postgres", "DROP DATABASE latin")

    async def test_a_newer_schema_refuses_and_says_what_to_do(
        self, opener: PostgresqlOpener, postgres: PostgresServer
    ) -> None:
        await postgres.query(name(opener), "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(PreconditionError, match=r"9999.*newer version") as caught:
            await opener.open()
        assert caught.value.reason == "STORE_NEWER"
        await postgres.query(name(opener), "UPDATE alembic_version SET version_num = $1", REVISION)
        await opener.open()

    async def test_two_that_start_at_once_on_an_empty_database(self, postgres: PostgresServer) -> None:
        """One migrates; the others wait for it."""
        async with postgres.database() as url:
            openers = [PostgresqlOpener(url, prefix=prefix) for prefix in "abc"]
            stores = await asyncio.gather(*(opener.open() for opener in openers))
            for opener, store in zip(openers, stores, strict=True):
                builder = Builder(incarnation=opener.opened[-1])
                await submitted(store, builder, builder.submit([judged("a")]))
            assert {lease.incarnation for lease in (await stores[0].renew()).others} == {"b-1", "c-1"}
            for opener in openers:
                await opener.close()

    async def test_a_migration_that_hangs_is_told(
        self, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgresql, "lock_schema", partial(lock_schema, wait=0.05))
        async with postgres.database() as url:
            other = PostgresqlOpener(url)
            engine = postgresql_engines.writer_engine(postgresql_engines.parse_url(url), "somebody")
            async with engine.begin() as connection:
                await connection.run_sync(lock_schema, "it")
                with pytest.raises(PreconditionError, match="is bringing postgresql://127") as caught:
                    await other.open()
            await engine.dispose()
            assert caught.value.reason == "STORE_LOCKED"
            await other.open()
            await other.close()


class TestConnectionsThatEnd:
    async def test_the_writers(self, opener: PostgresqlOpener, postgres: PostgresServer) -> None:
        """Idle, nobody notices."""
        store = await opener.open()
        builder = await one(store)
        assert await end_backends(postgres, "greenlight writer%") == 1
        assert not (await commit(store, builder.dispatch("a"))).lost

    async def test_the_readers(self, opener: PostgresqlOpener, postgres: PostgresServer) -> None:
        store = await opener.open()
        builder = await one(store)
        for _ in range(3):
            await asyncio.gather(*(store.batch_head("default", builder.batch.id) for _ in range(5)))
            assert await end_backends(postgres, "greenlight reader") > 0
        assert await store.batch_head("default", builder.batch.id) is not None

    async def test_within_a_commit_nothing_is_written_and_a_retry_works(
        self, opener: PostgresqlOpener, postgres: PostgresServer
    ) -> None:
        store = await opener.open()
        builder = await one(store)
        changes = builder.dispatch("a")
        async with held(opener) as connection:
            await connection.exec_driver_sql("SELECT 1 FROM batches FOR UPDATE")
            async with asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(attempt(store, changes))
                await until_waiting(postgres)
                await end_backends(postgres, "greenlight writer%")
                await until_waiting(postgres)  # once more, on a new connection
                await end_backends(postgres, "greenlight writer%")
            assert isinstance(waiting.result(), UnavailableError)
        assert (await commit(store, changes)).lost == set()

    async def test_a_deadlock_is_unavailable_and_a_retry_works(
        self, opener: PostgresqlOpener, postgres: PostgresServer
    ) -> None:
        """Its server looks for one a second after it began to wait; then both wait."""
        store = await opener.open()
        first, second = await one(store), await one(store)
        changes = [first.dispatch("a"), second.dispatch("a")]
        lock = "SELECT 1 FROM batches WHERE batch_no = %d FOR UPDATE"
        async with held(opener) as connection:
            await connection.exec_driver_sql("SET LOCAL deadlock_timeout = '60s'")
            await connection.exec_driver_sql(lock % second.batch.number)
            async with asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(attempt(store, *changes))
                await until_waiting(postgres)
                await connection.exec_driver_sql(lock % first.batch.number)
            error = waiting.result()
        assert isinstance(error, UnavailableError)
        assert "deadlock" in error.message
        assert (await commit(store, *changes)).lost == set()

    async def test_a_pool_that_is_empty_is_unavailable(
        self, opener: PostgresqlOpener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgresql_engines, "_POOL_TIMEOUT", 0.05)
        store = await opener.open()
        assert isinstance(store, PostgresqlStore)
        taken = [await store._reader.connect() for _ in range(postgresql_engines.READERS)]
        with pytest.raises(UnavailableError):
            await store.load_tools()
        for connection in taken:
            await connection.close()
        assert await store.load_tools() == []

    async def test_one_that_may_only_read_is_left(self, opener: PostgresqlOpener, postgres: PostgresServer) -> None:
        """A session stays what it began as."""
        store = await opener.open()
        builder = await one(store)
        changes = builder.dispatch("a")
        await postgres.query("postgres", f'ALTER DATABASE "{name(opener)}" SET default_transaction_read_only = on')
        await end_backends(postgres, "greenlight%")
        assert "read-only transaction" in str(await attempt(store, changes))
        with pytest.raises(UnavailableError, match="read-only transaction"):
            await store.renew()
        await postgres.query("postgres", f'ALTER DATABASE "{name(opener)}" RESET default_transaction_read_only')
        assert (await commit(store, changes)).lost == set()
        assert (await store.renew()).others == []

    async def test_so_are_those_that_read_at_a_server_that_is_behind(
        self, opener: PostgresqlOpener, postgres: PostgresServer
    ) -> None:
        """The name leads there for a while, and sessions begin until the last moment."""
        with postgres_server() as behind:
            await behind.query("postgres", f'CREATE DATABASE "{name(opener)}" TEMPLATE "{await behind.migrated()}"')
            await behind.query("postgres", f'ALTER DATABASE "{name(opener)}" SET default_transaction_read_only = on')
            leads_to = postgres
            async with CuttableProxy(lambda: f"127.0.0.1:{leads_to.port}") as proxy:
                opener.url = postgres.url(name(opener), port=int(proxy.address.rpartition(":")[2]))
                store = await opener.open()
                builder = await one(store)
                leads_to = behind
                await proxy.cut()
                assert "read-only transaction" in str(await attempt(store, builder.dispatch("a")))
                assert not any(await heads(store, builder))
                leads_to = postgres
                assert (await store.renew()).others == []
                assert all(await heads(store, builder))

    async def test_a_server_that_restarts_is_waited_for(self) -> None:
        with postgres_server() as server:
            opener = PostgresqlOpener(server.url())
            store = await opener.open()
            builder = await one(store)
            server.stop("immediate")
            with pytest.raises(UnavailableError):
                await store.renew()
            await store.until_kept(False)
            changes = builder.dispatch("a")
            with pytest.raises(UnavailableError):
                await commit(store, changes)
            with pytest.raises(UnavailableError):
                await store.load_tools()
            server.start()
            assert (await store.renew()).others == []
            await store.until_kept(True)
            assert (await commit(store, changes)).lost == set()
            await opener.close()


async def attempt(store: Store, *changes: Changes) -> BaseException | None:
    try:
        await commit(store, *changes)
    except UnavailableError as error:
        return error
    return None


async def heads(store: Store, builder: Builder) -> list[BatchHead | None]:
    """As all sessions that read see it."""
    reads = [store.batch_head("default", builder.batch.id) for _ in range(postgresql_engines.READERS)]
    return await asyncio.gather(*reads)


def held(opener: PostgresqlOpener) -> AsyncConnection:
    """A transaction of somebody else."""
    assert isinstance(opener.store, PostgresqlStore)
    engine = postgresql_engines.writer_engine(postgresql_engines.parse_url(opener.url), "somebody")
    return engine.connect()


async def until_waiting(postgres: PostgresServer) -> None:
    """Until the writer waits for a lock."""
    sql = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'greenlight writer%' AND wait_event_type = 'Lock'"
    while not await postgres.query("postgres", sql):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
