"""SQLite in trouble: locked, too new, damaged, failing in the middle of a commit. Nothing is half-written."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store import sqlite as adapter
from orchestrator_svc.adapters.store.engines import writer_engine
from orchestrator_svc.adapters.store.sqlite import SqliteStore
from orchestrator_svc.adapters.store.tables import REVISION
from orchestrator_svc.domain.changes import BatchWrite, CommandRecord
from orchestrator_svc.ports.store import Committed, Incarnation
from shared.kernel.clock import SystemClock
from shared.kernel.errors import PreconditionError, UnavailableError
from tests.support.batches import Builder, judged, write
from tests.support.failing_engine import FailingEngine
from tests.support.stores import SqliteOpener, commit, submitted


@pytest.fixture
async def opener(tmp_path: Path) -> AsyncIterator[SqliteOpener]:
    opener = SqliteOpener(tmp_path / "store.db")
    yield opener
    await opener.close()


async def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with sqlite3.connect(path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for name in names}
    connection.close()
    return found


async def attempt(store: SqliteStore, writes: list[BatchWrite]) -> tuple[Committed | None, UnavailableError | None]:
    try:
        return await store.commit(writes), None
    except UnavailableError as error:
        return None, error


class TestOneOrchestratorAFile:
    async def test_a_second_refuses_and_says_who_has_it(self, opener: SqliteOpener) -> None:
        await opener.open()
        second = SqliteStore(opener.path, ProtobufEventCodec(), SystemClock())
        with pytest.raises(PreconditionError) as caught:
            await second.start(Incarnation("second", 1, "0.1.0"))
        assert caught.value.reason == "STORE_LOCKED"
        assert f"process {os.getpid()}" in caught.value.message
        assert opener.opened[-1] in caught.value.message
        assert "Stop it first" in caught.value.message

    async def test_refusing_leaves_the_first_alone(self, opener: SqliteOpener) -> None:
        store = await opener.open()
        second = SqliteStore(opener.path, ProtobufEventCodec(), SystemClock())
        with pytest.raises(PreconditionError):
            await second.start(Incarnation("second", 1, "0.1.0"))
        builder = Builder()
        await submitted(store, builder, builder.submit([judged("a")]))
        with pytest.raises(PreconditionError):
            await second.start(Incarnation("second", 1, "0.1.0"))

    async def test_closing_frees_it(self, opener: SqliteOpener) -> None:
        await opener.open()
        await opener.open()
        assert len(opener.opened) == 2

    async def test_a_killed_holder_frees_it(self, opener: SqliteOpener) -> None:
        holder = (
            "import pathlib, sys\n"
            "from orchestrator_svc.adapters.store.file_lock import FileLock\n"
            "FileLock(pathlib.Path(sys.argv[1])).acquire('the other one')\n"
            "print('held', flush=True)\n"
            "sys.stdin.read()\n"
        )
        command = [sys.executable, "-c", holder, str(opener.path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            with pytest.raises(PreconditionError, match="the other one"):
                await opener.open()
            process.kill()
            process.wait()
        await opener.open()


class TestSchema:
    async def test_a_newer_one_refuses_and_says_what_to_do(self, opener: SqliteOpener) -> None:
        await opener.open()
        await opener.close()
        with sqlite3.connect(opener.path) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()
        before = await dump(opener.path)
        with pytest.raises(PreconditionError) as caught:
            await opener.open()
        assert caught.value.reason == "STORE_NEWER"
        assert "9999" in caught.value.message
        assert "newer version" in caught.value.message
        assert await dump(opener.path) == before

    async def test_having_refused_it_holds_no_lock(self, opener: SqliteOpener) -> None:
        await self.test_a_newer_one_refuses_and_says_what_to_do(opener)
        with sqlite3.connect(opener.path) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (REVISION,))
        connection.close()
        await opener.open()

    async def test_a_folder_that_is_not_there_is_made(self, tmp_path: Path) -> None:
        opener = SqliteOpener(tmp_path / "a" / "b" / "store.db")
        await opener.open()
        await opener.close()
        assert opener.path.exists()

    async def test_what_is_no_database_is_refused_with_its_name_and_what_to_do(self, opener: SqliteOpener) -> None:
        opener.path.write_bytes(b"This is a letter to my aunt. " * 100)
        with pytest.raises(UnavailableError, match="not a database") as caught:
            await opener.open()
        assert caught.value.reason == "STORE_DAMAGED"
        assert str(opener.path) in caught.value.message
        assert "restore a backup" in caught.value.message


class TestFailingCommits:
    @pytest.fixture
    def engine(self, opener: SqliteOpener, monkeypatch: pytest.MonkeyPatch) -> FailingEngine:
        engine = writer_engine(opener.path)
        monkeypatch.setattr(adapter, "writer_engine", lambda path: engine)
        return FailingEngine(engine)

    async def writes(self, opener: SqliteOpener) -> tuple[SqliteStore, list[BatchWrite], Builder, Builder]:
        """A commit that does everything: moves, additions, a new batch, requests, answers, frames."""
        store = await opener.open()
        assert isinstance(store, SqliteStore)
        old, new = Builder(), Builder()
        old.batch.open = True
        await submitted(store, old, old.submit([judged("a"), judged("b")]))
        moved, added = old.dispatch("a"), old.add([judged("c")])
        added.command = CommandRecord("r1", "AddProposals", b"hash", b"answer")
        command = CommandRecord("r2", "SubmitBatch", b"hash", b"answer")
        return store, write(moved, added, new.submit([judged("x")], command)), old, new

    @pytest.mark.parametrize(
        ("error", "says"),
        [(sqlite3.OperationalError("disk I/O error"), "disk I/O error"), (MemoryError(), "out of memory")],
    )
    async def test_at_each_statement_nothing_is_written_and_a_retry_works(
        self, opener: SqliteOpener, engine: FailingEngine, error: Exception, says: str
    ) -> None:
        """The driver says MemoryError where SQLite gets no memory."""
        engine.error = error
        store, writes, old, new = await self.writes(opener)
        before = await dump(opener.path)
        statement = 0
        while True:
            statement += 1
            engine.arm(statement)
            committed, told = await attempt(store, writes)
            if committed is not None:
                break
            assert told is not None
            assert (told.reason, told.retry_after) == ("STORE_UNAVAILABLE", 1.0)
            assert says in told.message
            assert await dump(opener.path) == before, f"at statement {statement}"
        assert statement > 10
        assert not committed.lost
        for builder in (old, new):
            head = await store.batch_head("default", builder.batch.id)
            assert head is not None
            assert head.head == builder.batch.head

    async def test_at_the_commit(self, opener: SqliteOpener, engine: FailingEngine) -> None:
        store, writes, old, _ = await self.writes(opener)
        before = await dump(opener.path)
        engine.arm_commit()
        with pytest.raises(UnavailableError):
            await store.commit(writes)
        assert await dump(opener.path) == before
        assert not (await store.commit(writes)).lost
        assert await store.get_proposal("default", old.batch.id, "c") is not None

    async def test_a_reader_sees_nothing_of_a_commit_under_way(
        self, opener: SqliteOpener, engine: FailingEngine
    ) -> None:
        store, writes, old, new = await self.writes(opener)
        heads: list[object] = []
        loop = asyncio.get_running_loop()
        head = await store.batch_head("default", old.batch.id)

        def look() -> None:
            for builder in (old, new):
                seen = asyncio.run_coroutine_threadsafe(store.batch_head("default", builder.batch.id), loop)
                heads.append(seen.result())

        engine.before_commit = look
        await store.commit(writes)
        assert heads == [head, None]


class TestOtherProcesses:
    async def test_a_locked_database_is_unavailable_and_then_works(
        self, opener: SqliteOpener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("orchestrator_svc.adapters.store.engines._BUSY_SECONDS", 0.01)
        store = await opener.open()
        builder = Builder()
        changes = builder.submit([judged("a")])
        other = sqlite3.connect(opener.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked"):
            await commit(store, changes)
        other.execute("ROLLBACK")
        other.close()
        await submitted(store, builder, changes)

    @pytest.mark.parametrize("replaced", [False, True])
    async def test_a_file_that_was_moved_away_takes_nothing_until_it_is_back(
        self, opener: SqliteOpener, replaced: bool
    ) -> None:
        store = await opener.open()
        builder = Builder()
        changes = builder.submit([judged("a")])
        away = opener.path.with_name("away")
        opener.path.rename(away)
        if replaced:
            shutil.copyfile(away, opener.path)
        with pytest.raises(UnavailableError, match="moved or removed: put it back"):
            await commit(store, changes)
        away.rename(opener.path)
        await submitted(store, builder, changes)
        store = await opener.restart()
        assert await store.get_proposal("default", builder.batch.id, "a") is not None

    async def test_a_folder_that_is_none_any_more_takes_nothing_until_it_is_back(self, tmp_path: Path) -> None:
        opener = SqliteOpener(tmp_path / "data" / "store.db")
        store = await opener.open()
        builder = Builder()
        changes = builder.submit([judged("a")])
        folder = opener.path.parent
        folder.rename(tmp_path / "away")
        folder.touch()
        with pytest.raises(UnavailableError, match="Not a directory"):
            await commit(store, changes)
        folder.unlink()
        (tmp_path / "away").rename(folder)
        await submitted(store, builder, changes)
        await opener.close()

    async def test_a_full_disk_is_unavailable_and_then_works(self, opener: SqliteOpener) -> None:
        store = await opener.open()
        builder = Builder()
        changes = builder.submit([judged(f"p{n}", title="x" * 200) for n in range(100)])
        pages = _pragma(opener, "page_count")
        _pragma(opener, f"max_page_count = {pages}")
        with pytest.raises(UnavailableError, match="full"):
            await commit(store, changes)
        assert await store.batch_head("default", builder.batch.id) is None
        _pragma(opener, f"max_page_count = {pages * 1000}")
        await submitted(store, builder, changes)

    async def test_a_full_disk_is_told_of_beside_a_batch_that_cannot_be_written(self, opener: SqliteOpener) -> None:
        """SQLite ends the transaction by itself, and the savepoints of the batches with it."""
        store = await opener.open()
        bad, good = Builder(), Builder()
        await submitted(store, bad, bad.submit([judged("a")]))
        await commit(store, bad.dispatch("a"))
        changes = bad.succeed("a", result="\ud800"), good.submit([judged("p", title="x" * 100_000)])
        pages = _pragma(opener, "page_count")
        _pragma(opener, f"max_page_count = {pages}")
        with pytest.raises(UnavailableError, match="database or disk is full"):
            await commit(store, *changes)
        assert await store.batch_head("default", good.batch.id) is None
        _pragma(opener, f"max_page_count = {pages * 1000}")
        assert (await commit(store, *changes)).unwritable == {bad.batch.id}
        assert await store.batch_head("default", good.batch.id) is not None


def _pragma(opener: SqliteOpener, text: str) -> int:
    """On the writer's own connection, in its thread."""
    store = opener.store
    assert isinstance(store, SqliteStore)

    def run() -> int:
        with store._writer.begin() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            return driver.execute(f"PRAGMA {text}").fetchone()[0]

    return store._writing.submit(run).result()
