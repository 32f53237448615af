"""Every test here runs on each store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator_svc.adapters.store.engines import writer_engine
from orchestrator_svc.adapters.store.migrating import migrate
from orchestrator_svc.ports.store import Store
from tests.support.stores import MemoryOpener, Opener, SqliteOpener


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the present schema."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    engine = writer_engine(path)
    migrate(engine, str(path))
    engine.dispose()
    return path


@pytest.fixture(params=["memory", "sqlite"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    if request.param == "memory":
        return MemoryOpener()
    return SqliteOpener(tmp_path / "store.db", request.getfixturevalue("migrated_file"))


@pytest.fixture
async def store(opener: Opener) -> AsyncIterator[Store]:
    """Open; `opener` opens it again."""
    yield await opener.open()
    await opener.close()
