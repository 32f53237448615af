"""The orchestrator's process is killed in the middle of a batch, and started again on the same data folder."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from tests.bench.processes import Process, python, running
from tests.support.services import states

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ledger").touch()
    return tmp_path


def executor(folder: Path) -> AbstractContextManager[Process]:
    toolbox = "tests.support.toolboxes.ledger"
    command = python("-m", "executor_svc", "--listen", "127.0.0.1:0", "--toolbox", toolbox)
    command += ["--data", str(folder / "journal"), "--drain-grace", "0"]
    return running("executor", command, folder / "executor")


def orchestrator(folder: Path, name: str, executors: str) -> AbstractContextManager[Process]:
    command = python("-m", "orchestrator_svc", "--listen", "127.0.0.1:0", "--executors", executors)
    return running(name, [*command, "--data", str(folder / "data"), "--drain-grace", "0"], folder / name)


@asynccontextmanager
async def stub(process: Process) -> AsyncGenerator[Any]:
    async with grpc.aio.insecure_channel(process.ready()["address"]) as channel:
        await channel.channel_ready()
        yield OrchestratorServiceStub(channel)


async def until_known(stub: Any, *tools: str) -> None:
    while True:
        answer = await stub.ListTools(pb.ListToolsRequest())
        if {*tools} <= {tool.descriptor.name for tool in answer.tools if tool.executors}:
            return
        await asyncio.sleep(0.01)


def ledger(folder: Path) -> list[tuple[str, str, str]]:
    """(key, attempt, idempotency key) of every start of a tool."""
    found: list[tuple[str, str, str]] = []
    for line in (folder / "ledger").read_text().splitlines():
        name, attempt, key = line.split()
        found.append((name, attempt, key))
    return found


async def until_started(folder: Path, *wanted: tuple[str, str]) -> None:
    while not {*wanted} <= {(name, attempt) for name, attempt, _ in ledger(folder)}:  # noqa: ASYNC110 - a file
        await asyncio.sleep(0.01)


async def watch(stub: Any, batch_id: str, after: int, enough: Callable[[event_pb2.Event], bool]) -> list[int]:
    """Sequences after a cursor, until an event that is enough."""
    seen: list[int] = []
    request = pb.WatchBatchRequest(batch_id=batch_id, resume_after=after)
    stream: AsyncIterator[pb.WatchBatchResponse] = stub.WatchBatch(request)
    async for response in stream:
        for event in response.frame.events:
            seen.append(event.sequence)
            if enough(event):
                return seen
    return seen


def call(tool: str, key: str, folder: Path, *after: str) -> proposal_pb2.ProposalSpec:
    dependencies = [proposal_pb2.Dependency(key=name) for name in after]
    arguments = json.dumps({"folder": str(folder)})
    return proposal_pb2.ProposalSpec(tool=tool, key=key, arguments_json=arguments, depends_on=dependencies)


async def test_killed_in_the_middle_it_goes_on(folder: Path) -> None:
    calls = [
        call("read", "first", folder),
        call("read", "r", folder, "first"),
        call("write", "w", folder, "first"),
        call("send", "s", folder, "first"),
        call("read", "last", folder, "r", "w", "s"),
    ]
    (folder / "first.gate").touch()
    with executor(folder) as tools:
        address = tools.ready()["address"]
        with orchestrator(folder, "one", address) as one:
            async with stub(one) as client:
                await until_known(client, "read", "write", "send")
                batch = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=calls))
                batch_id = (await client.SubmitBatch(pb.SubmitBatchRequest(batch=batch))).batch.batch_id
                await until_started(folder, ("r", "1"), ("w", "1"), ("s", "1"))
                running_state = proposal_pb2.PROPOSAL_STATE_RUNNING
                seen = await watch(client, batch_id, 0, lambda e: e.key == "s" and e.state == running_state)
                one.popen.send_signal(signal.SIGKILL)
                one.popen.wait()
        with orchestrator(folder, "two", address) as two:
            async with stub(two) as client:
                await until_started(folder, ("r", "2"), ("w", "2"))
                for name in ("r", "w", "s", "last"):
                    (folder / f"{name}.gate").touch()
                seen += await watch(client, batch_id, seen[-1], lambda e: e.HasField("batch_finished"))
                answer = await client.WaitBatch(pb.WaitBatchRequest(batch_id=batch_id, until=pb.UNTIL_FINISHED))
    assert states(answer.summary.answers) == dict.fromkeys(("first", "r", "w", "s", "last"), "SUCCEEDED")
    assert seen == list(range(1, len(seen) + 1)), "the watcher saw no gap and nothing twice"
    runs = ledger(folder)
    assert [attempt for name, attempt, _ in runs if name == "s"] == ["1"], "attached, not run again"
    assert len({key for name, _, key in runs if name == "w"}) == 1, "again with the same key"
    assert [attempt for name, attempt, _ in runs if name == "last"] == ["1"]


async def test_a_side_effect_that_ended_while_nobody_was_there_counts(folder: Path) -> None:
    with executor(folder) as tools:
        address = tools.ready()["address"]
        with orchestrator(folder, "one", address) as one:
            async with stub(one) as client:
                await until_known(client, "send")
                items = [call("send", "s", folder), call("send", "t", folder, "s")]
                batch = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=items))
                batch_id = (await client.SubmitBatch(pb.SubmitBatchRequest(batch=batch))).batch.batch_id
                await until_started(folder, ("s", "1"))
                one.popen.send_signal(signal.SIGKILL)
                one.popen.wait()
        (folder / "s.gate").touch()
        (folder / "t.gate").touch()
        with orchestrator(folder, "two", address) as two:
            async with stub(two) as client:
                answer = await client.WaitBatch(pb.WaitBatchRequest(batch_id=batch_id, until=pb.UNTIL_FINISHED))
    assert states(answer.summary.answers) == {"s": "SUCCEEDED", "t": "SUCCEEDED"}
    assert [(name, attempt) for name, attempt, _ in ledger(folder)] == [("s", "1"), ("t", "1")]


async def test_an_executor_that_is_another_start_leaves_the_outcome_unknown(folder: Path) -> None:
    with executor(folder) as tools:
        address = tools.ready()["address"]
        with orchestrator(folder, "one", address) as one:
            async with stub(one) as client:
                await until_known(client, "send")
                batch = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=[call("send", "s", folder)]))
                batch_id = (await client.SubmitBatch(pb.SubmitBatchRequest(batch=batch))).batch.batch_id
                await until_started(folder, ("s", "1"))
                one.popen.send_signal(signal.SIGKILL)
                one.popen.wait()
    with executor(folder / "other") as tools, orchestrator(folder, "two", tools.ready()["address"]) as two:
        async with stub(two) as client:
            await until_known(client, "send")
            answer = await client.GetBatch(pb.GetBatchRequest(batch_id=batch_id))
            # Its own executor may still come back: until the window is over it runs, and is not run again.
            assert answer.batch.state == batch_pb2.BATCH_STATE_RUNNING
    assert [(name, attempt) for name, attempt, _ in ledger(folder)] == [("s", "1")]
