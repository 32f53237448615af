"""What the store makes on disk is its owner's alone, whatever the umask."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.batches import Builder, judged
from tests.support.stores import SqliteOpener, submitted


@pytest.fixture(params=[0o000, 0o022])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}


@pytest.mark.usefixtures("umask")
async def test_nobody_else_reads_the_files(tmp_path: Path) -> None:
    opener = SqliteOpener(tmp_path / "store.db")
    store = await opener.open()
    builder = Builder()
    await submitted(store, builder, builder.submit([judged("a")]))
    assert await store.get_batch("default", builder.batch.id) is not None
    names = ("store.db", "store.db-wal", "store.db-shm", "store.db.lock")
    assert modes(tmp_path) == dict.fromkeys(names, "0o600")
    await opener.close()


async def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    opener = SqliteOpener(tmp_path / "store.db")
    await opener.open()
    opener.path.chmod(0o640)
    await opener.open()
    assert modes(tmp_path)["store.db"] == "0o640"
    await opener.close()
