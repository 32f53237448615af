"""An orchestrator that is told to go while PostgreSQL answers nothing: it goes all the same, and others take over."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.bench.processes import Process
from tests.support.postgresql import PostgresServer, postgres_server
from tests.support.proxy import CuttableProxy
from tests.support.starts import (
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
LEASE = 2.0
PATIENCE = 20
"""Seconds; a statement has 30."""

Hang = Callable[[Path, Any, CuttableProxy], Coroutine[Any, Any, Sequence[Any]]]
"""Returns the requests under way."""

_NO_NAMES = """
import os, socket, time
resolve = socket.getaddrinfo
def getaddrinfo(*given, **more):
    while os.path.exists(os.environ["NO_NAMES"]):
        time.sleep(0.1)
    return resolve(*given, **more)
socket.getaddrinfo = getaddrinfo
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
async def proxy(server: PostgresServer) -> AsyncGenerator[CuttableProxy]:
    async with CuttableProxy(f"127.0.0.1:{server.port}") as proxy:
        yield proxy


async def while_a_call_runs(folder: Path, client: Any, proxy: CuttableProxy) -> Sequence[Any]:
    proxy.swallowing = True
    return ()


async def while_an_outcome_is_recorded(folder: Path, client: Any, proxy: CuttableProxy) -> Sequence[Any]:
    """Nor is there an answer on new connections."""
    proxy.swallowing = True
    await proxy.cut()
    open_gates(folder, "p")
    await asyncio.sleep(0.2)
    return ()


async def while_requests_wait(folder: Path, client: Any, proxy: CuttableProxy) -> Sequence[Any]:
    """More reads than there are connections, and something to be written."""
    proxy.swallowing = True
    waiting = [client.ListBatches(pb.ListBatchesRequest()) for _ in range(20)]
    waiting += [client.CreateSession(pb.CreateSessionRequest(request_id=str(uuid4()))) for _ in range(3)]
    await asyncio.sleep(0.2)
    return waiting


async def gone(process: Process) -> str:
    """What its log says, once it has ended."""
    process.popen.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.popen.wait, PATIENCE) == 0
    return process.err.read_text()


@pytest.mark.parametrize("hang", [while_a_call_runs, while_an_outcome_is_recorded, while_requests_wait])
async def test_it_goes_and_another_one_goes_on(
    tmp_path: Path, server: PostgresServer, proxy: CuttableProxy, hang: Hang
) -> None:
    async with server.database() as address:
        name, port = address.rpartition("/")[2], int(proxy.address.rpartition(":")[2])
        with executor(tmp_path) as tools:
            executors = tools.ready()["address"]
            with orchestrator(tmp_path, "one", executors, store=server.url(name, port=port), lease=LEASE) as one:
                async with stub((await asyncio.to_thread(one.ready))["address"]) as client:
                    await until_known(client, "send")
                    batch_id = await submit(client, call("send", "p", tmp_path))
                    await until_started(tmp_path, ("p", "1"))
                    waiting = await hang(tmp_path, client, proxy)
                    said = await gone(one)
                    codes = [await request.code() for request in waiting]
                    assert {*codes} <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}, codes
            open_gates(tmp_path, "p")
            with orchestrator(tmp_path, "other", executors, store=address, lease=LEASE) as other:
                async with stub((await asyncio.to_thread(other.ready))["address"]) as client:
                    assert await finished(client, batch_id) == {"p": "SUCCEEDED"}
    assert ledger(tmp_path) == [("p", "1")]
    assert_said(said)


async def test_one_that_does_nothing(tmp_path: Path, server: PostgresServer, proxy: CuttableProxy) -> None:
    async with server.database() as address:
        name, port = address.rpartition("/")[2], int(proxy.address.rpartition(":")[2])
        with orchestrator(tmp_path, "one", "127.0.0.1:1", store=server.url(name, port=port), lease=LEASE) as one:
            await asyncio.to_thread(one.ready)
            proxy.swallowing = True
            assert_said(await gone(one))


async def test_one_whose_names_are_not_resolved_any_more(
    tmp_path: Path, server: PostgresServer, proxy: CuttableProxy
) -> None:
    """The thread that asks for one cannot be stopped, and the loop would wait for it at its end."""
    (tmp_path / "sitecustomize.py").write_text(_NO_NAMES)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    async with server.database() as address:
        name, port = address.rpartition("/")[2], int(proxy.address.rpartition(":")[2])
        store = server.url(name, port=port).replace("127.0.0.1", "localhost")
        env = {"PYTHONPATH": path, "NO_NAMES": str(tmp_path / "no names")}
        with orchestrator(tmp_path, "one", "127.0.0.1:1", store=store, lease=LEASE, env=env) as one:
            await asyncio.to_thread(one.ready)
            (tmp_path / "no names").touch()
            await proxy.cut()
            assert_said(await gone(one))


def assert_said(log: str) -> None:
    (line,) = [line for line in log.splitlines() if "others take over once the lease has run out" in line]
    assert "does not answer" in line
    assert "Traceback" not in log
