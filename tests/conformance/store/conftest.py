"""Every test here runs on each store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator_svc.adapters.store.engines import writer_engine
from orchestrator_svc.adapters.store.memory_commits import Holdings
from orchestrator_svc.adapters.store.migrating import migrate
from tests.support.postgresql import PostgresServer
from tests.support.stores import MemoryOpener, Opener, PostgresqlOpener, SqliteOpener, WholeStore


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the present schema."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    engine = writer_engine(path)
    migrate(engine, str(path))
    engine.dispose()
    return path


STORES = ["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=STORES)
async def opener(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    if request.param == "memory":
        yield MemoryOpener()
    elif request.param == "sqlite":
        yield SqliteOpener(tmp_path / "store.db", request.getfixturevalue("migrated_file"))
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        async with server.database(await server.migrated()) as url:
            yield PostgresqlOpener(url)


@pytest.fixture
async def store(opener: Opener) -> AsyncIterator[WholeStore]:
    """Open; `opener` opens it again."""
    yield await opener.open()
    await opener.close()


@pytest.fixture(params=["memory", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def openers(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Opener, Opener]]:
    """Of two orchestrators on one store, where there may be several."""
    if request.param == "memory":
        held = Holdings()
        yield MemoryOpener(held, "one"), MemoryOpener(held, "two")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        async with server.database(await server.migrated()) as url:
            yield PostgresqlOpener(url, prefix="one"), PostgresqlOpener(url, prefix="two")


@pytest.fixture
async def one(openers: tuple[Opener, Opener]) -> AsyncIterator[WholeStore]:
    """The first one's store, open; its start is `one-1`."""
    yield await openers[0].open()
    await openers[0].close()


@pytest.fixture
async def two(openers: tuple[Opener, Opener]) -> AsyncIterator[WholeStore]:
    """The second one's."""
    yield await openers[1].open()
    await openers[1].close()
