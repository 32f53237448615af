"""The executor's process is killed in a NON_IDEMPOTENT call, and started again: its journal has the word.

The tool writes its effect to a ledger that is no part of the system.
"""

import asyncio
import json
import signal
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from greenlight.executor.v1 import executor_pb2
from greenlight.executor.v1.executor_pb2_grpc import ExecutorServiceStub
from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from tests.bench.processes import Process, environment, free_port, python, running
from tests.recovery.test_killed_process import ledger, until_known, until_started
from tests.support.executor import call as executor_call
from tests.support.services import states

pytestmark = pytest.mark.slow
UNKNOWN = "OUTCOME_UNKNOWN"


class Site:
    """Where both services keep their files, and the port that the executor always has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "journal" / "journal.db"
        self.port = free_port()
        self._starts = 0
        (folder / "ledger").touch()

    def executor(self, name: str = "executor", slots: int = 100) -> AbstractContextManager[Process]:
        self._starts += 1
        command = python("-m", "executor_svc", "--listen", f"127.0.0.1:{self.port}", "--drain-grace", "0")
        command += ["--toolbox", "tests.support.toolboxes.ledger", "--data", str(self.journal.parent)]
        command += ["--slots", str(slots)]
        return self._ready(f"{name}-{self._starts}", command)

    def orchestrator(self, window: float = 20, executors: str = "", **settings: str) -> AbstractContextManager[Process]:
        """`window`: how long it waits for a lost executor."""
        self._starts += 1
        command = python("-m", "orchestrator_svc", "--listen", "127.0.0.1:0", "--drain-grace", "0")
        command += ["--executors", executors or f"127.0.0.1:{self.port}", "--data", str(self.folder / "data")]
        return self._ready(f"orchestrator-{self._starts}", command, str(window), **settings)

    @contextmanager
    def _ready(self, name: str, command: list[str], window: str = "1", **settings: str) -> Iterator[Process]:
        env = environment(GREENLIGHT_REATTACH_WINDOW=window, GREENLIGHT_RESOLVE_INTERVAL="0.1", **settings)
        with running(name, command, self.folder / name, env) as process:
            process.ready()
            yield process

    def open(self, *gates: str) -> None:
        for gate in gates:
            (self.folder / gate).touch()

    @property
    def effects(self) -> list[tuple[str, str]]:
        """(key, attempt) of each."""
        return [(name, attempt) for name, attempt, _ in ledger(self.folder)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def kill(process: Process) -> None:
    process.popen.send_signal(signal.SIGKILL)
    process.popen.wait()


@asynccontextmanager
async def stub(process: Process, *, silent: bool = False) -> AsyncGenerator[Any]:
    """Of an orchestrator that has its executor, unless that one is `silent`."""
    async with grpc.aio.insecure_channel(process.ready()["address"]) as channel:
        await channel.channel_ready()
        client = OrchestratorServiceStub(channel)
        if not silent:
            await until_known(client, "pay")
        yield client


async def submit(client: Any, site: Site, *keys: str, tool: str = "pay") -> str:
    """The batch id; each key is a payment."""
    arguments = json.dumps({"folder": str(site.folder)})
    items = [proposal_pb2.ProposalSpec(tool=tool, key=key, arguments_json=arguments) for key in keys]
    batch = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=items))
    return (await client.SubmitBatch(pb.SubmitBatchRequest(batch=batch))).batch.batch_id


async def settled(client: Any, batch_id: str) -> dict[str, str]:
    """States, once nothing moves any more without a person."""
    answer = await client.WaitBatch(pb.WaitBatchRequest(batch_id=batch_id, until=pb.UNTIL_BLOCKED))
    return states(answer.summary.answers)


async def reason(client: Any, batch_id: str, key: str) -> str:
    request = pb.GetProposalRequest(proposal_id=f"{batch_id}/{key}")
    return (await client.GetProposal(request)).proposal.failure.reason


async def until_accepted(client: Any, batch_id: str, key: str) -> None:
    """The orchestrator has recorded that its tool runs."""
    async for response in client.WatchBatch(pb.WatchBatchRequest(batch_id=batch_id)):
        if any(event.key == key and event.HasField("attempt_started") for event in response.frame.events):
            return


async def until_reattaching(client: Any, batch_id: str, key: str) -> None:
    """Whoever looks sees that the executor is waited for."""
    request = pb.GetProposalRequest(proposal_id=f"{batch_id}/{key}")
    while True:
        proposal = (await client.GetProposal(request)).proposal
        assert proposal.state == proposal_pb2.PROPOSAL_STATE_RUNNING
        if proposal.waiting.reason == proposal_pb2.WAITING_REASON_LOST_EXECUTOR:
            assert proposal.waiting.until_time.ToNanoseconds() > proposal.waiting.since_time.ToNanoseconds()
            return
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("effects", [0, 1], ids=["before its effect", "after its effect"])
async def test_killed_in_the_call_its_outcome_is_unknown_and_it_is_not_run_again(site: Site, effects: int) -> None:
    with site.executor() as executor, site.orchestrator() as orchestrator:
        async with stub(orchestrator) as client:
            batch_id = await submit(client, site, "p")
            await until_accepted(client, batch_id, "p")
            if effects:
                site.open("p.go")
                await until_started(site.folder, ("p", "1"))
            kill(executor)
            with site.executor():
                site.open("p.go", "p.gate")
                assert await settled(client, batch_id) == {"p": UNKNOWN}
                assert await reason(client, batch_id, "p") == "EXECUTOR_ENDED"
    assert site.effects == [("p", "1")][:effects]


async def test_what_ended_while_the_orchestrator_was_away_is_had_from_the_journal(site: Site) -> None:
    with site.executor() as executor:
        with site.orchestrator() as orchestrator:
            async with stub(orchestrator) as client:
                batch_id = await submit(client, site, "p", "q")
                await until_accepted(client, batch_id, "q")
                kill(orchestrator)
        site.open("p.go", "p.gate")
        await until_started(site.folder, ("p", "1"))
        await _until_ended(site, f"{batch_id}/p/1")
        kill(executor)
    with site.orchestrator() as orchestrator, site.executor():
        async with stub(orchestrator) as client:
            assert await settled(client, batch_id) == {"p": "SUCCEEDED", "q": UNKNOWN}
    assert site.effects == [("p", "1")]


async def test_a_frame_that_never_came_is_sent_again_and_the_late_one_is_refused(site: Site) -> None:
    site.open("p.go", "p.gate")
    with site.executor() as executor, site.orchestrator() as orchestrator:
        async with stub(orchestrator) as client:
            executor.popen.send_signal(signal.SIGSTOP)
            batch_id = await submit(client, site, "p")
            kill(executor)
            with site.executor() as fresh:
                assert await settled(client, batch_id) == {"p": "SUCCEEDED"}
                assert site.effects == [("p", "2")]
                late = executor_call("p", "pay", {"folder": str(site.folder)}, id=f"{batch_id}/p/1")
                assert await _sent_late(fresh, late) == "CALL_FENCED"
            with site.executor() as third:
                assert await _sent_late(third, late) == "CALL_FENCED"
    assert site.effects == [("p", "2")]


async def test_a_journal_that_is_deleted_leaves_the_outcome_unknown(site: Site) -> None:
    with site.executor() as executor, site.orchestrator(window=4) as orchestrator:
        async with stub(orchestrator) as client:
            batch_id = await submit(client, site, "p")
            await until_accepted(client, batch_id, "p")
            kill(executor)
            for file in site.journal.parent.iterdir():
                file.unlink()
            await until_reattaching(client, batch_id, "p")
            with site.executor():
                assert await settled(client, batch_id) == {"p": UNKNOWN}
                assert await reason(client, batch_id, "p") == "EXECUTOR_LOST"
    assert site.effects == []


async def test_a_journal_put_back_from_a_backup_cannot_say(site: Site) -> None:
    """In place, so that the file is the same: only its position tells."""
    site.open("first.go", "first.gate")
    with site.executor() as executor, site.orchestrator() as orchestrator:
        async with stub(orchestrator) as client:
            backup = _backup(site)
            assert await settled(client, await submit(client, site, "first")) == {"first": "SUCCEEDED"}
            batch_id = await submit(client, site, "p")
            await until_accepted(client, batch_id, "p")
            kill(executor)
            inode = site.journal.stat().st_ino
            for name in ("journal.db-wal", "journal.db-shm"):
                site.journal.with_name(name).unlink(missing_ok=True)
            site.journal.write_bytes(backup)
            assert site.journal.stat().st_ino == inode
            with site.executor():
                assert await settled(client, batch_id) == {"p": UNKNOWN}
                assert await reason(client, batch_id, "p") == "EXECUTOR_CANNOT_SAY"
    assert site.effects == [("first", "1")]


async def test_a_journal_that_was_copied_back_cannot_say(site: Site) -> None:
    """It holds all that there is to say; but a copy may have been made at any time."""
    with site.executor() as executor, site.orchestrator() as orchestrator:
        async with stub(orchestrator) as client:
            batch_id = await submit(client, site, "p")
            await until_accepted(client, batch_id, "p")
            kill(executor)
            copy = site.journal.with_name("copy")
            copy.write_bytes(_backup(site))
            for name in ("journal.db-wal", "journal.db-shm"):
                site.journal.with_name(name).unlink(missing_ok=True)
            copy.rename(site.journal)
            with site.executor():
                assert await settled(client, batch_id) == {"p": UNKNOWN}
                assert await reason(client, batch_id, "p") == "EXECUTOR_CANNOT_SAY"
    assert site.effects == []


def _backup(site: Site) -> bytes:
    """As it stands, whoever has it open."""
    source, target = sqlite3.connect(site.journal), sqlite3.connect(site.folder / "backup.db")
    source.backup(target)
    source.close()
    target.close()
    content = (site.folder / "backup.db").read_bytes()
    (site.folder / "backup.db").unlink()
    return content


async def _until_ended(site: Site, call_id: str) -> None:
    reader = sqlite3.connect(site.journal)
    look = "SELECT standing FROM calls WHERE call_id = ?"
    while reader.execute(look, (call_id,)).fetchone() != (2,):  # noqa: ASYNC110 - another process's file
        await asyncio.sleep(0.01)
    reader.close()


async def _sent_late(executor: Process, late: executor_pb2.Call) -> str:
    """What an executor says of a frame that somebody still had."""
    async with grpc.aio.insecure_channel(executor.ready()["address"]) as channel:
        stream: Any = ExecutorServiceStub(channel).Execute()
        frame = executor_pb2.CallFrame(origins=[executor_pb2.Origin()], calls=[late])
        await stream.write(executor_pb2.ExecuteRequest(frame=frame))
        async for response in stream:
            for outcome in response.outcomes:
                stream.cancel()
                return outcome.failure.reason
    raise AssertionError("no outcome")
