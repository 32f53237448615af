"""What an executor says of NON_IDEMPOTENT calls after it was started anew, over real gRPC, from a real file."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from executor_svc.adapters.journal.schema import connect
from executor_svc.adapters.journal.sqlite import SqliteJournal
from executor_svc.ports.journal import Acceptance, Entries
from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from shared.kernel.clock import SystemClock
from shared.kernel.errors import GreenlightError
from tests.support.executor import BATCH, Executor, Peer, call, executor, failure, result
from tests.support.gates import GATES

RUNNING, ENDED = pb.ATTACH_STATE_RUNNING, pb.ATTACH_STATE_ENDED
NEVER_SEEN, CANNOT_SAY = pb.ATTACH_STATE_NEVER_SEEN, pb.ATTACH_STATE_CANNOT_SAY
ID = f"{BATCH}/a/1"
PEEK = '''
import sqlite3
from greenlight_tool import ToolContext, tool

@tool(effect="NON_IDEMPOTENT")
async def peek(path: str, context: ToolContext) -> list[int]:
    """Where its own call stands on disk, while it runs."""
    reader = sqlite3.connect(path)
    rows = reader.execute("SELECT standing FROM calls").fetchall()
    reader.close()
    return [standing for (standing,) in rows]
'''


@asynccontextmanager
async def _started(folder: Path) -> AsyncGenerator[tuple[Executor, Peer]]:
    async with executor(data=folder) as exe:
        yield exe, await exe.connect()


def started(folder: Path) -> AbstractAsyncContextManager[tuple[Executor, Peer]]:
    """One start on this folder."""
    return _started(folder)


async def ask(
    peer: Peer,
    boot_id: str,
    call_id: str = ID,
    *,
    effect: tool_pb2.Effect.ValueType = tool_pb2.EFFECT_NON_IDEMPOTENT,
    position: int = 0,
) -> int:
    """The state that it answers."""
    before = len(peer.all("attach_answers"))
    attach = pb.Attach(call_id=call_id, boot_id=boot_id, effect=effect, journal_position=position)
    await peer.send(attaches=[attach])
    await peer.until(lambda: len(peer.all("attach_answers")) > before)
    answer = peer.all("attach_answers")[-1]
    assert answer.call_id == call_id
    return answer.state


async def crashed(folder: Path, *call_ids: str) -> str:
    """A start that accepted these calls, and did not live to see them end. Returns its boot id."""
    journal = SqliteJournal(folder / "journal.db", SystemClock())
    await journal.open("crashed", "executor")
    made = [Acceptance(call_id, call("a", "write", {"text": "x"}).digest) for call_id in call_ids]
    await journal.write(Entries(accepted=made))
    await journal.close()
    return "crashed"


async def test_accepted_is_on_disk_before_the_tool_starts_and_the_outcome_before_it_is_sent(tmp_path: Path) -> None:
    (tmp_path / "peek.py").write_text(PEEK)
    async with executor(tmp_path / "peek.py", data=tmp_path / "data") as exe:
        peer = await exe.connect()
        file = tmp_path / "data/journal.db"
        outcome = await peer.run("a", "peek", {"path": str(file)})
        assert result(outcome) == [1]
        reader = sqlite3.connect(file)
        assert reader.execute("SELECT standing, result FROM calls").fetchall() == [(2, b"[1]")]
        reader.close()
        assert outcome.journal_position == 2


async def test_calls_that_come_together_are_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def traced(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_trace_callback(said.append)
        return connection

    monkeypatch.setattr("executor_svc.adapters.journal.sqlite.connect", traced)
    async with started(tmp_path) as (_, peer):
        await peer.send(*(call(f"k{number}", "write", {"text": "x"}) for number in range(100)))
        await peer.until(lambda: len(peer.outcomes) == 100)
    transactions = "\n".join(said).split("\nCOMMIT")
    accepted = [count for one in transactions if (count := one.count("INSERT INTO calls"))]
    ended = [count for one in transactions if (count := one.count("UPDATE calls SET standing = 2"))]
    assert sum(accepted) == sum(ended) == 100
    assert len(accepted) < 10
    assert len(ended) < 100


async def test_other_effects_are_not_journalled(tmp_path: Path) -> None:
    async with started(tmp_path) as (exe, peer):
        assert (await peer.run("a", "echo", {"value": 1})).journal_position == 0
        assert (await exe.stub.GetServerInfo(pb.GetServerInfoRequest())).journal_position == 0
        await peer.run("b", "write", {"text": "x"})
        info = await exe.stub.GetServerInfo(pb.GetServerInfoRequest())
        assert (info.journal_position, info.journal_problem) == (2, "")


async def test_the_executors_id_stays_the_boots_id_does_not(tmp_path: Path) -> None:
    async with started(tmp_path) as (_, peer):
        first = peer.first.identity
    async with started(tmp_path) as (_, peer):
        second = peer.first.identity
    assert first.executor_id == second.executor_id
    assert first.boot_id != second.boot_id


async def test_an_outcome_of_an_earlier_start_is_had_from_the_next(tmp_path: Path) -> None:
    async with started(tmp_path) as (exe, peer):
        boot = exe.boot_id
        before = await peer.run("a", "write", {"text": "once"})
    async with started(tmp_path) as (_, peer):
        assert await ask(peer, boot, position=before.journal_position) == ENDED
        assert await peer.outcome(ID) == before
        await peer.send(acknowledgements=[ID])
        await peer.run("b", "write", {"text": "other"})
        assert await ask(peer, boot) == CANNOT_SAY, "acknowledged, so that its result is gone"
    assert GATES.runs == ["once", "other"]


async def test_the_same_call_again_is_answered_from_the_journal(tmp_path: Path) -> None:
    made = call("a", "write", {"text": "once"})
    async with started(tmp_path) as (_, peer):
        await peer.send(made)
        before = await peer.outcome(made.id)
    async with started(tmp_path) as (_, peer):
        await peer.send(made)
        assert await peer.outcome(made.id) == before
        await peer.send(call("a", "write", {"text": "other"}))
        assert failure(await peer.outcome(made.id, count=2)) == ("PERMANENT", "NONE", "CALL_ID_REUSED")
        await peer.send(acknowledgements=[made.id])
        await ask(peer, "none", "behind it")
    async with started(tmp_path) as (_, peer):
        await peer.send(made)
        assert failure(await peer.outcome(made.id)) == ("PERMANENT", "DONE", "CALL_ENDED")
    assert GATES.runs == ["once"]


async def test_a_call_that_the_executor_did_not_survive_may_have_had_its_effect(tmp_path: Path) -> None:
    boot = await crashed(tmp_path, ID)
    async with started(tmp_path) as (_, peer):
        assert await ask(peer, boot) == ENDED
        assert failure(await peer.outcome(ID)) == ("UNAVAILABLE", "POSSIBLE", "EXECUTOR_ENDED")
        await peer.send(call("a", "write", {"text": "x"}))
        assert failure(await peer.outcome(ID, count=2))[1] == "POSSIBLE"
    assert GATES.runs == []


async def test_a_call_that_was_never_seen_is_fenced_for_ever(tmp_path: Path) -> None:
    boot = await crashed(tmp_path)
    async with started(tmp_path) as (_, peer):
        assert await ask(peer, boot) == NEVER_SEEN
        late = await peer.run("a", "write", {"text": "late"})
        assert failure(late) == ("PERMANENT", "NONE", "CALL_FENCED")
    async with started(tmp_path) as (_, peer):
        late = await peer.run("a", "write", {"text": "late"})
        assert failure(late) == ("PERMANENT", "NONE", "CALL_FENCED")
        assert await ask(peer, boot) == NEVER_SEEN
    assert GATES.runs == []


async def test_one_of_this_start_that_was_never_seen_is_fenced_for_later_ones_too(tmp_path: Path) -> None:
    async with started(tmp_path) as (exe, peer):
        boot = exe.boot_id
        assert await ask(peer, boot, effect=tool_pb2.EFFECT_UNSPECIFIED) == NEVER_SEEN
    async with started(tmp_path) as (_, peer):
        late = await peer.run("a", "write", {"text": "late"})
        assert failure(late)[2] == "CALL_FENCED"
        assert await ask(peer, boot) == NEVER_SEEN


@pytest.mark.parametrize("effect", [tool_pb2.EFFECT_READ, tool_pb2.EFFECT_IDEMPOTENT, tool_pb2.EFFECT_UNSPECIFIED, 99])
async def test_of_other_calls_of_an_earlier_start_nothing_is_known(tmp_path: Path, effect: int) -> None:
    boot = await crashed(tmp_path, f"{BATCH}/b/1")
    async with started(tmp_path) as (_, peer):
        assert await ask(peer, boot, effect=effect) == CANNOT_SAY  # type: ignore[arg-type]
        assert result(await peer.run("a", "write", {"text": "x"})) == "x", "and nothing is fenced"


async def test_a_start_that_the_journal_does_not_have_cannot_be_answered_for(tmp_path: Path) -> None:
    async with started(tmp_path / "lost") as (exe, peer):
        boot = exe.boot_id
        await peer.run("a", "write", {"text": "once"})
    async with started(tmp_path / "new") as (_, peer):
        assert await ask(peer, boot) == CANNOT_SAY


async def test_a_journal_behind_what_was_recorded_of_it_cannot_say(tmp_path: Path) -> None:
    boot = await crashed(tmp_path)
    async with started(tmp_path) as (_, peer):
        assert await ask(peer, boot, position=1) == CANNOT_SAY
        assert await ask(peer, boot, position=0) == NEVER_SEEN


async def test_a_journal_that_was_copied_back_cannot_say(tmp_path: Path) -> None:
    boot = await crashed(tmp_path)
    file = tmp_path / "journal.db"
    copy = tmp_path / "backup"
    copy.write_bytes(file.read_bytes())
    copy.rename(file)
    async with started(tmp_path) as (exe, peer):
        assert await ask(peer, boot) == CANNOT_SAY
        new = exe.boot_id
    async with started(tmp_path) as (_, peer):
        assert await ask(peer, new) == NEVER_SEEN


async def test_a_second_executor_on_the_folder_does_not_start(tmp_path: Path) -> None:
    async with started(tmp_path) as (_, peer):
        with pytest.raises(GreenlightError, match=r"JOURNAL_LOCKED: another executor has .*journal\.db: process"):
            async with started(tmp_path):
                pass
        assert result(await peer.run("a", "write", {"text": "x"})) == "x"


async def test_a_newer_journal_is_left_alone(tmp_path: Path) -> None:
    await crashed(tmp_path)
    file = sqlite3.connect(tmp_path / "journal.db")
    file.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(GreenlightError, match=r"JOURNAL_NEWER: .* has schema 99, .* Start that version"):
        async with started(tmp_path):
            pass


@pytest.mark.parametrize("what", ["a text", "another database"])
async def test_what_is_no_journal_is_left_alone(tmp_path: Path, what: str) -> None:
    file = tmp_path / "journal.db"
    if what == "a text":
        file.write_text("dear diary, " * 1000)
    else:
        other = sqlite3.connect(file)
        other.execute("CREATE TABLE mine (x)")
        other.close()
    before = file.read_bytes()
    with pytest.raises(GreenlightError, match="JOURNAL_UNAVAILABLE"):
        async with started(tmp_path):
            pass
    assert file.read_bytes()[:16] == before[:16]


async def test_the_journal_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "executor"
    async with started(folder) as (_, peer):
        await peer.run("a", "write", {"text": "secret"})
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent)] == [0o700, 0o700]
    assert modes == dict.fromkeys(("journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock"), 0o600)


async def test_what_was_acknowledged_leaves_memory_and_loses_its_result(tmp_path: Path) -> None:
    async with executor(data=tmp_path, outcome_retention=0.01) as exe:
        peer = await exe.connect()
        for number in range(300):
            made = call(f"k{number}", "write", {"text": "x"})
            await peer.send(made)
            await peer.outcome(made.id)
            await peer.send(acknowledgements=[made.id])
        await peer.send(acknowledgements=["no such call"])
        last = call("k0", "write", {"text": "x"})
        while True:
            count = len(peer.outcomes[last.id])
            await peer.send(last)
            if failure_or_none(await peer.outcome(last.id, count=count + 1)) == "CALL_ENDED":
                break
        assert len(GATES.runs) == 300
    reader = sqlite3.connect(tmp_path / "journal.db")
    ((count, with_result),) = reader.execute("SELECT count(*), count(result) FROM calls").fetchall()
    reader.close()
    assert count == 300
    assert with_result == 0


def failure_or_none(outcome: pb.Outcome) -> str | None:
    return failure(outcome)[2] if outcome.WhichOneof("ending") == "failure" else None
