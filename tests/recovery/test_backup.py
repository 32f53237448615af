"""A backup beside an orchestrator at work, and a start on it: all that was acknowledged before is there, whole."""

import asyncio
import json
import sqlite3
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from orchestrator_svc.adapters.store import backing_up
from orchestrator_svc.adapters.store.backing_up import back_up
from orchestrator_svc.adapters.store.tables import REVISION
from shared.kernel.errors import GreenlightError
from tests.bench.processes import environment
from tests.support.batches import Builder, judged
from tests.support.gates import GATES
from tests.support.services import Services, call, read, services, states
from tests.support.stores import SqliteOpener, submitted

PROPOSED = proposal_pb2.PROPOSAL_STATE_PROPOSED


@pytest.fixture(autouse=True)
def gates() -> Iterator[None]:
    GATES.reset()
    yield
    GATES.open("gate")


async def _backup(*words: str) -> tuple[int, str, str]:
    """`python -m orchestrator_svc backup` as a process of its own."""
    command = [sys.executable, "-m", "orchestrator_svc", "backup", *words]
    process = await asyncio.create_subprocess_exec(
        *command, env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


class Work:
    """Batch after batch, each with an answer, and one that waits for a person; `enough` are there after 20."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.enough, self.stop = asyncio.Event(), asyncio.Event()

    async def run(self, pair: Services) -> None:
        while not self.stop.is_set():
            summary = await pair.run(call("echo", "a", {"value": "x" * 2_000}), call("note", "b"))
            self.acknowledged.append(summary.batch.batch_id)
            if len(self.acknowledged) >= 20:
                self.enough.set()


async def _check_whole(pair: Services, batch_id: str) -> None:
    watched = await read(pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=batch_id, until=pb.UNTIL_BLOCKED)))
    assert watched.sequences == list(range(1, watched.summary.batch.sequence + 1))
    assert states(watched.summary.answers) == {"a": "SUCCEEDED", "b": "PROPOSED"}


async def test_beside_one_that_works_and_started_from(tmp_path: Path):
    work, target = Work(), tmp_path / "backup.db"
    acknowledged = work.acknowledged
    async with services(tmp_path / "data") as pair, asyncio.TaskGroup() as group:
        workers = [group.create_task(work.run(pair)) for _ in range(4)]
        await work.enough.wait()
        before = list(acknowledged)
        code, out, err = await _backup(str(target), "--data", str(tmp_path / "data"))
        assert (code, err) == (0, "")
        during = len(acknowledged)
        work.stop.set()
        await asyncio.gather(*workers)
    assert during > len(before), "the orchestrator went on meanwhile"
    said = json.loads(out)
    assert (said["event"], said["file"], said["schema"]) == ("backup", str(target), REVISION)
    assert len(before) <= said["batches"] <= len(acknowledged) + 4
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.db", "data"]

    restored = tmp_path / "restored"
    restored.mkdir()
    target.rename(restored / "greenlight.db")
    async with services(restored) as pair:
        found = {batch.batch_id for batch in await pair.batches(page_size=1000)}
        assert len(found) == said["batches"]
        assert {*before} <= found
        for batch_id in sorted(found & {*acknowledged}):
            await _check_whole(pair, batch_id)
        inbox = await pair.proposal(before[0], "b")
        decision = pb.Decision(proposal_id=inbox.proposal_id, verdict=proposal_pb2.VERDICT_APPROVE)
        await pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[decision]))
        assert states((await pair.summary(before[0], pb.UNTIL_FINISHED)).answers)["b"] == "SUCCEEDED"


async def test_each_is_of_one_instant(tmp_path: Path):
    """What was acknowledged a moment before is in it, and every batch is whole."""
    work, data = Work(), tmp_path / "data"
    async with services(data) as pair, asyncio.TaskGroup() as group:
        workers = [group.create_task(work.run(pair)) for _ in range(4)]
        for number in range(10):
            already = len(work.acknowledged)
            while len(work.acknowledged) <= already:  # noqa: ASYNC110 - of several, whichever comes
                await asyncio.sleep(0.001)
            before = {*work.acknowledged}
            target = tmp_path / f"{number}.db"
            await asyncio.to_thread(back_up, data / "greenlight.db", target)
            assert before <= _whole_batches(target)
        work.stop.set()
        await asyncio.gather(*workers)


def _whole_batches(target: Path) -> set[str]:
    with sqlite3.connect(target) as connection:
        found: set[str] = set()
        for number, batch_id, head in connection.execute("SELECT batch_no, id, head FROM batches").fetchall():
            query = "SELECT first_sequence, last_sequence FROM frames WHERE batch_no = ? ORDER BY 1"
            last = 0
            for first, until in connection.execute(query, (number,)):
                assert first == last + 1
                last = until
            assert last == head
            found.add(batch_id)
    connection.close()
    return found


async def test_what_ran_then_is_asked_for_and_what_is_not_known_says_so(tmp_path: Path):
    """The executor that ran it is another by now: nothing runs a second time by itself."""
    async with services(tmp_path / "data") as pair:
        held = await pair.submit(call("send", "s", {"gate": "gate"}))
        await GATES.reached("gate started")
        assert (await _backup(str(tmp_path / "backup.db"), "--data", str(tmp_path / "data")))[0] == 0
        GATES.open("gate")
        await pair.summary(held.batch_id, pb.UNTIL_FINISHED)
    runs = GATES.runs.count("send")
    restored = tmp_path / "restored"
    restored.mkdir()
    (tmp_path / "backup.db").rename(restored / "greenlight.db")
    async with services(restored) as pair:
        summary = await pair.summary(held.batch_id)
        assert states(summary.answers) == {"s": "OUTCOME_UNKNOWN"}
    assert GATES.runs.count("send") == runs == 1


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """Of one batch; closed."""
    opener = SqliteOpener(tmp_path / "store.db")
    store, builder = await opener.open(), Builder()
    await submitted(store, builder, builder.submit([judged(f"p{number}", title="t" * 200) for number in range(500)]))
    await opener.close()
    return opener.path


def _refused(database: Path, target: Path) -> GreenlightError:
    there = sorted(target.parent.iterdir()) if target.parent.is_dir() else []
    with pytest.raises(GreenlightError) as caught:
        back_up(database, target)
    if there:
        left = [path for path in sorted(target.parent.iterdir()) if not path.name.startswith(database.name)]
        assert left == [path for path in there if not path.name.startswith(database.name)], "nothing is left behind"
    return caught.value


def test_nothing_is_overwritten(database: Path, tmp_path: Path):
    target = tmp_path / "old.db"
    target.write_bytes(b"the last backup that was good")
    assert _refused(database, target).reason == "BACKUP_EXISTS"
    assert target.read_bytes() == b"the last backup that was good"


def test_nor_what_came_meanwhile(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target, check = tmp_path / "backup.db", backing_up._check

    def quicker(*arguments: Any) -> Any:
        target.write_bytes(b"another one")
        return check(*arguments)

    monkeypatch.setattr(backing_up, "_check", quicker)
    with pytest.raises(GreenlightError) as caught:
        back_up(database, target)
    assert (caught.value.reason, target.read_bytes()) == ("BACKUP_EXISTS", b"another one")


def test_of_a_damaged_one_there_is_none(database: Path, tmp_path: Path):
    whole = bytearray(database.read_bytes())
    whole[-4096 * 4 :] = b"\xff" * (4096 * 4)
    database.write_bytes(whole)
    refused = _refused(database, tmp_path / "backup.db")
    assert refused.reason == "STORE_DAMAGED"
    assert str(database) in refused.message
    assert "restore a backup" in refused.message


def test_of_what_is_none_or_not_there(tmp_path: Path):
    assert _refused(tmp_path / "nothing.db", tmp_path / "backup.db").reason == "STORE_UNAVAILABLE"
    assert not (tmp_path / "nothing.db").exists()
    letter = tmp_path / "letter.db"
    letter.write_bytes(b"This is a letter to my aunt. " * 100)
    assert _refused(letter, tmp_path / "backup.db").reason == "STORE_DAMAGED"
    sqlite3.connect(tmp_path / "another.db").execute("CREATE TABLE aunts (name)").connection.close()
    assert _refused(tmp_path / "another.db", tmp_path / "backup.db").reason == "STORE_DAMAGED"


def test_of_a_newer_one(database: Path, tmp_path: Path):
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert _refused(database, tmp_path / "backup.db").reason == "STORE_NEWER"


def test_into_a_folder_that_is_not_there(database: Path, tmp_path: Path):
    assert _refused(database, tmp_path / "nowhere" / "backup.db").reason == "BACKUP_FAILED"


async def test_the_command_says_it_in_one_line(database: Path, tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    database.rename(folder / "greenlight.db")
    target = tmp_path / "backup.db"
    assert (await _backup(str(target), "--data", str(folder)))[0] == 0
    code, out, err = await _backup(str(target), "--data", str(folder))
    assert (code, out) == (1, "")
    assert err == f"orchestrator: BACKUP_EXISTS: {target} is there already, and is not overwritten: name another file\n"
