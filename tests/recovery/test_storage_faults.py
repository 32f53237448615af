"""Storage in trouble, as the processes meet it: what the start refuses, and a database that somebody else holds."""

import fcntl
import resource
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.adapters.store.backing_up import back_up
from tests.bench.processes import Process, environment, python, running
from tests.recovery.test_full_disk import SECOND, Client, connected, fill_and_free
from tests.recovery.test_killed_process import call, executor, until_known
from tests.support.batches import Builder, judged
from tests.support.refusals import refusal
from tests.support.services import states
from tests.support.stores import SqliteOpener, commit, submitted

pytestmark = pytest.mark.slow
NOBODY = "127.0.0.1:1"
PAGE = 4096
# linux/fs.h: FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IMMUTABLE_FL
_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10
# Root may write anywhere by a capability; without it the modes of files count for it too (PR_CAPBSET_DROP).
_WITHOUT_OVERRIDE = (
    "import ctypes, os, sys; "
    "ctypes.CDLL(None).prctl(24, 1, 0, 0, 0); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


def _command(data: Path, *more: str) -> list[str]:
    return ["-m", "orchestrator_svc", "--listen", "127.0.0.1:0", "--data", str(data), "--drain-grace", "0", *more]


def _refused(data: Path, before: Sequence[str] = ()) -> str:
    """What a start says that is refused: one line, and no traceback."""
    command = python(*before, *_command(data, "--executors", NOBODY))
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    lines = [line for line in done.stderr.splitlines() if line.startswith("orchestrator: ")]
    assert "Traceback" not in done.stderr
    assert len(lines) == 1, done.stderr
    return lines[0]


async def _seeded(folder: Path) -> Builder:
    """A database of some megabytes, closed: one finished batch, with large answers."""
    folder.mkdir(parents=True)
    opener, builder = SqliteOpener(folder / "greenlight.db"), Builder()
    store = await opener.open()
    keys = [f"p{number}" for number in range(20)]
    await submitted(store, builder, builder.submit([judged(key) for key in keys]))
    await commit(store, builder.dispatch(*keys))
    for key in keys:
        await commit(store, builder.succeed(key, result=f'"{"x" * 200_000}"'))
    await opener.close()
    return builder


def _damage(database: Path, first_page: int) -> None:
    """From there on to the end."""
    with database.open("r+b") as file:
        length = file.seek(0, 2)
        file.seek(first_page * PAGE)
        file.write(b"\xff" * (length - first_page * PAGE))


def _empty_folder(data: Path) -> None:
    data.chmod(0o500)


def _folder_with_a_database(data: Path) -> None:
    (data / "greenlight.db.lock").unlink()
    data.chmod(0o500)


def _lock_file(data: Path) -> None:
    (data / "greenlight.db.lock").chmod(0o400)


@pytest.mark.parametrize("spoil", [_empty_folder, _folder_with_a_database, _lock_file])
async def test_a_folder_that_cannot_be_written_to(tmp_path: Path, spoil: Callable[[Path], None]):
    data = tmp_path / "data"
    if spoil is _empty_folder:
        data.mkdir()
    else:
        await _seeded(data)
    spoil(data)
    said = _refused(data, ("-c", _WITHOUT_OVERRIDE))
    data.chmod(0o700)
    assert said.startswith(f"orchestrator: STORE_UNAVAILABLE: the data folder {data} cannot be written to: Permission")


async def test_a_database_that_cannot_be_written_to(tmp_path: Path):
    await _seeded(tmp_path / "data")
    (tmp_path / "data" / "greenlight.db").chmod(0o400)
    said = _refused(tmp_path / "data", ("-c", _WITHOUT_OVERRIDE))
    assert "STORE_UNAVAILABLE" in said
    assert str(tmp_path / "data" / "greenlight.db") in said
    assert "readonly" in said


@pytest.mark.parametrize("first_page", [0, 1])
async def test_a_damaged_one_is_refused_by_name_and_with_what_to_do(tmp_path: Path, first_page: int):
    await _seeded(tmp_path / "data")
    _damage(tmp_path / "data" / "greenlight.db", first_page)
    said = _refused(tmp_path / "data")
    assert said.startswith(f"orchestrator: STORE_DAMAGED: {tmp_path / 'data' / 'greenlight.db'} is damaged")
    assert "restore a backup" in said


async def test_one_that_a_newer_version_wrote(tmp_path: Path):
    await _seeded(tmp_path / "data")
    with sqlite3.connect(tmp_path / "data" / "greenlight.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    said = _refused(tmp_path / "data")
    assert said.startswith(f"orchestrator: STORE_NEWER: {tmp_path / 'data' / 'greenlight.db'} has schema 9999")
    assert "Start that version, or restore a backup" in said


async def test_one_that_another_program_has_locked(tmp_path: Path):
    await _seeded(tmp_path / "data")
    with Lock(tmp_path / "data" / "greenlight.db") as lock:
        lock.fill()
        assert "database is locked" in _refused(tmp_path / "data")


class Lock:
    """Another program that writes the database and does not end."""

    def __init__(self, database: Path) -> None:
        self._connection = sqlite3.connect(database, isolation_level=None)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def fill(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def free(self) -> None:
        self._connection.execute("ROLLBACK")


@asynccontextmanager
async def _orchestrator(folder: Path, name: str, executors: str) -> AsyncGenerator[tuple[Process, Client]]:
    command = python(*_command(folder / "data", "--executors", executors))
    with running("orchestrator", command, folder / name, environment(GREENLIGHT_STORE_PATIENCE="0.3")) as process:
        async with connected(process) as client:
            yield process, client


async def test_locked_for_longer_than_it_waits_loses_nothing(tmp_path: Path):
    (tmp_path / "ledger").touch()
    with executor(tmp_path) as tools:
        async with _orchestrator(tmp_path, "one", tools.ready()["address"]) as (_, client):
            await until_known(client.stub, "read", "write", "send")
            with Lock(tmp_path / "data" / "greenlight.db") as lock:
                await fill_and_free(client, lock, tmp_path, held=6.0)


class ReadOnly:
    """The database's files, as of a disk that became read-only: who has them open for writing cannot write either."""

    def __init__(self, data: Path) -> None:
        self._paths = [data / "greenlight.db", data / "greenlight.db-wal"]

    def __enter__(self) -> "ReadOnly":
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    def fill(self) -> None:
        for path in self._paths:
            _make_immutable(path, True)

    def free(self) -> None:
        for path in self._paths:
            _make_immutable(path, False)


def _make_immutable(path: Path, wanted: bool) -> None:
    with path.open("rb") as file:
        (flags,) = struct.unpack("l", fcntl.ioctl(file, _GET_FLAGS, bytes(struct.calcsize("l"))))
        flags = flags | _IMMUTABLE if wanted else flags & ~_IMMUTABLE
        fcntl.ioctl(file, _SET_FLAGS, struct.pack("l", flags))


class NoWrites:
    """The nearest to it that everybody may do: the process may write to no file, and is told so by the system."""

    def __init__(self, pid: int) -> None:
        self._pid, self._before = pid, resource.prlimit(pid, resource.RLIMIT_FSIZE)

    def __enter__(self) -> "NoWrites":
        return self

    def __exit__(self, *_: object) -> None:
        self.free()

    def fill(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (0, self._before[1]))

    def free(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, self._before)


def _can_be_read_only(folder: Path) -> bool:
    """If we are root, on most file systems."""
    path = folder / "probe"
    with path.open("wb", buffering=0) as opened_before:
        try:
            _make_immutable(path, True)
        except OSError:
            return False
        try:
            opened_before.write(b"1")
        except OSError:
            return True
        finally:
            _make_immutable(path, False)
    return False


async def test_read_only_for_a_while_loses_nothing(tmp_path: Path):
    (tmp_path / "ledger").touch()
    with executor(tmp_path) as tools:
        async with _orchestrator(tmp_path, "one", tools.ready()["address"]) as (process, client):
            await until_known(client.stub, "read", "write", "send")
            can = _can_be_read_only(tmp_path)
            with ReadOnly(tmp_path / "data") if can else NoWrites(process.pid) as disk:
                await fill_and_free(client, disk, tmp_path, says="disk I/O error")


async def test_damaged_while_it_runs_it_says_so_and_a_backup_helps(tmp_path: Path):
    builder = await _seeded(tmp_path / "data")
    database, backup = tmp_path / "data" / "greenlight.db", tmp_path / "backup.db"
    back_up(database, backup)
    (tmp_path / "ledger").touch()
    with executor(tmp_path) as tools:
        async with _orchestrator(tmp_path, "one", tools.ready()["address"]) as (_, client):
            await until_known(client.stub, "read")
            _damage(database, 1)
            looked = client.stub.GetBatch(pb.GetBatchRequest(batch_id=builder.batch.id))
            calls = [call("read", key, tmp_path) for key in "ab"]
            for request in (looked, client.submit(SECOND, calls[0]), client.submit("", calls[1])):
                refused = await refusal(request)
                assert refused.short == ("UNAVAILABLE", "STORE_DAMAGED")
                assert refused.retry_after is not None
            assert not await client.serves()
            assert any(str(database) in problem for problem in await client.problems())
        assert "STORE_DAMAGED" in _refused(tmp_path / "data")
        for path in (tmp_path / "data").glob("greenlight.db*"):
            path.unlink()
        shutil.copy(backup, database)
        async with _orchestrator(tmp_path, "two", tools.ready()["address"]) as (_, client):
            waited = await client.stub.WaitBatch(pb.WaitBatchRequest(batch_id=builder.batch.id))
            assert set(states(waited.summary.answers).values()) == {"SUCCEEDED"}
            (tmp_path / "a.gate").touch()
            await client.submit(SECOND, call("read", "a", tmp_path))
