"""Every test here runs on each store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator_svc.adapters.store.engines import writer_engine
from orchestrator_svc.adapters.store.migrating import migrate
from orchestrator_svc.ports.store import Store
from tests.support.postgresql import PostgresServer
from tests.support.stores import MemoryOpener, Opener, PostgresqlOpener, SqliteOpener


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
async def store(opener: Opener) -> AsyncIterator[Store]:
    """Open; `opener` opens it again."""
    yield await opener.open()
    await opener.close()
