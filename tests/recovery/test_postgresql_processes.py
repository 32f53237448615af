"""Both services as processes on PostgreSQL: the orchestrator is killed, the database crashes under load."""

import asyncio
import itertools
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from greenlight.orchestrator.v1 import batch_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from shared.runtime.check_health import check
from tests.bench.processes import Process
from tests.support.postgresql import PASSWORD, PostgresServer, postgres_server
from tests.support.starts import (
    approve,
    call,
    executor,
    finished,
    ledger,
    open_gates,
    orchestrator,
    stub,
    submit,
    until_known,
    until_started,
)

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]
CLIENTS, CALLS = 4, 3


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """One that may be crashed."""
    with postgres_server() as server:
        yield server


async def test_killed_in_the_middle_it_goes_on(tmp_path: Path, server: PostgresServer) -> None:
    hard = tool_pb2.TIER_HARD
    calls = [
        call("read", "r", tmp_path),
        call("write", "w", tmp_path),
        call("send", "s", tmp_path),
        call("send", "t", tmp_path, "r", "w", "s", tier=hard),
    ]
    with executor(tmp_path) as tools:
        address = tools.ready()["address"]
        with orchestrator(tmp_path, "one", address, store=server.url()) as one:
            async with stub(one.ready()["address"]) as client:
                await until_known(client, "read", "write", "send")
                batch_id = await submit(client, *calls)
                await until_started(tmp_path, ("r", "1"), ("w", "1"), ("s", "1"))
                one.popen.send_signal(signal.SIGKILL)
                one.popen.wait()
        with orchestrator(tmp_path, "two", address, store=server.url()) as two:
            async with stub(two.ready()["address"]) as client:
                await until_started(tmp_path, ("r", "2"), ("w", "2"))
                await approve(client, batch_id, "t")
                open_gates(tmp_path, "r", "w", "s", "t")
                assert await finished(client, batch_id) == dict.fromkeys("rwst", "SUCCEEDED")
    assert [attempt for key, attempt in ledger(tmp_path) if key == "s"] == ["1"], "attached, not run again"
    assert [attempt for key, attempt in ledger(tmp_path) if key == "t"] == ["1"]
    for process in (one, two):
        assert PASSWORD not in process.err.read_text() + process.out.read_text()


@contextmanager
def serving(folder: Path, server: PostgresServer) -> Iterator[Process]:
    """The orchestrator, with an executor."""
    with (
        executor(folder) as tools,
        orchestrator(folder, "one", tools.ready()["address"], store=server.url()) as one,
    ):
        yield one


async def until_health(address: str, *, serving: bool) -> None:
    while (await check(address) == "") is not serving:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)


class Client:
    """Submits one batch after the other, each until it is acknowledged; `batches`: those that were."""

    def __init__(self, stub: Any, folder: Path, name: str) -> None:
        self._stub, self._folder, self._name = stub, folder, name
        self.batches: list[str] = []

    async def run(self, stopped: asyncio.Event) -> None:
        for number in itertools.count():
            if stopped.is_set():
                return
            await self._submit(f"{self._name}-{number}")

    async def _submit(self, name: str) -> None:
        tools = ("read", "write", "send")
        calls = [call(tools[n % 3], f"{name}-{n}", self._folder) for n in range(CALLS)]
        open_gates(self._folder, *(one.key for one in calls))
        spec = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=calls))
        request = pb.SubmitBatchRequest(batch=spec, request_id=str(uuid.uuid4()))
        while True:
            try:
                answer = await self._stub.SubmitBatch(request, timeout=10)
            except grpc.aio.AioRpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
                await asyncio.sleep(0.05)
            else:
                self.batches.append(answer.batch.batch_id)
                return


async def test_a_database_that_crashes_under_load_loses_nothing(tmp_path: Path, server: PostgresServer) -> None:
    with serving(tmp_path, server) as one:
        address = one.ready()["address"]
        async with stub(address) as channel:
            await until_known(channel, "read", "write", "send")
            clients = [Client(channel, tmp_path, str(n)) for n in range(CLIENTS)]
            stopped = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                for client in clients:
                    tasks.create_task(client.run(stopped))
                for _ in range(3):
                    before = sum(len(client.batches) for client in clients)
                    await asyncio.to_thread(server.restart)
                    while sum(len(client.batches) for client in clients) < before + 20:  # noqa: ASYNC110 - clients
                        await asyncio.sleep(0.01)
                stopped.set()
            acknowledged = [batch_id for client in clients for batch_id in client.batches]
            states = await asyncio.gather(*(finished(channel, batch_id) for batch_id in acknowledged))
            assert all([*found.values()] == ["SUCCEEDED"] * CALLS for found in states)
            assert await check(address) == ""
    assert len({*acknowledged}) == len(acknowledged)
    sent = [key for key, _ in ledger(tmp_path) if key.endswith("-2")]
    assert len({*sent}) == len(sent), "no side effect twice"
    said = one.err.read_text()
    assert "Traceback" not in said
    assert PASSWORD not in said


async def test_a_database_that_is_away_shows_in_health_and_is_waited_for(
    tmp_path: Path, server: PostgresServer
) -> None:
    with serving(tmp_path, server) as one:
        address = one.ready()["address"]
        async with stub(address) as client:
            await until_known(client, "read", "send")
            batch_id = await submit(client, call("read", "r", tmp_path), call("send", "s", tmp_path, "r"))
            await until_started(tmp_path, ("r", "1"))
            await asyncio.to_thread(server.stop, "immediate")
            await until_health(address, serving=False)
            open_gates(tmp_path, "r", "s")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.GetBatch(pb.GetBatchRequest(batch_id="nobody"))
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            await asyncio.to_thread(server.start)
            await until_health(address, serving=True)
            assert await finished(client, batch_id) == {"r": "SUCCEEDED", "s": "SUCCEEDED"}
    assert [attempt for key, attempt in ledger(tmp_path) if key == "s"] == ["1"]
