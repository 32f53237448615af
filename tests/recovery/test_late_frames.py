"""A NON_IDEMPOTENT call's frame comes after somebody has gone on without it: the fence keeps it from running.

That is what an owner does that stops between the record of an attempt and its frame, and goes on later; and a stream
that one side only knows to be broken.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from greenlight.executor.v1 import executor_pb2
from greenlight.executor.v1.executor_pb2_grpc import ExecutorServiceStub
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.bench.processes import Process, free_port
from tests.recovery.test_standby import after, kill
from tests.support.half_open import HalfOpenProxy
from tests.support.postgresql import PostgresServer
from tests.support.starts import (
    call,
    executor,
    finished,
    ledger,
    open_gates,
    orchestrator,
    said,
    stub,
    submit,
    until_known,
)

pytestmark = pytest.mark.slow
LEASE = 2.0
STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address; '' is the file."""
    if request.param == "sqlite":
        yield ""
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        async with server.database() as url:
            yield url


async def recorded_and_held(client: Any, folder: Path, link: HalfOpenProxy) -> str:
    """A batch whose call is on record as sent, while its frame is on its way."""
    await until_known(client, "send")
    link.holding = True
    open_gates(folder, "s")
    batch_id = await submit(client, call("send", "s", folder))
    await link.until_held(f"{batch_id}/s/1")
    (attempt,) = (await client.GetProposal(pb.GetProposalRequest(proposal_id=f"{batch_id}/s"))).proposal.attempts
    assert attempt.number == 1
    return batch_id


def other(folder: Path, executors: str, store: str) -> AbstractContextManager[Process]:
    """On a file it stands by; on a database it is as active as the first one."""
    return orchestrator(folder, "two", executors, store=store, standby=not store, lease=LEASE)


async def test_of_an_owner_that_stopped_between_record_and_frame(tmp_path: Path, store: str) -> None:
    with executor(tmp_path) as tools:
        address = tools.ready()["address"]
        async with HalfOpenProxy(address) as link:
            with (
                orchestrator(tmp_path, "one", link.address, store=store, lease=LEASE) as one,
                after(one, other(tmp_path, address, store)) as two,
            ):
                async with stub(one.ready()["address"]) as client:
                    batch_id = await recorded_and_held(client, tmp_path, link)
                    kill(one)
                async with stub(said(two, "ready")["address"]) as client:
                    assert await finished(client, batch_id) == {"s": "SUCCEEDED"}
                assert ledger(tmp_path) == [("s", "2")]
                await link.release(until=f"{batch_id}/s/1")
    assert ledger(tmp_path) == [("s", "2")], "the late frame started nothing"


async def until_served_by(client: Any, tool: str, count: int) -> None:
    while True:
        (found,) = (await client.ListTools(pb.ListToolsRequest(tool=tool))).tools
        if found.executors == count:
            return
        await asyncio.sleep(0.01)


@asynccontextmanager
async def full(address: str, folder: Path) -> AsyncGenerator[None]:
    """A call by hand has the one slot of that executor."""
    before = {*ledger(folder)}
    request = executor_pb2.CallToolRequest(tool="read", arguments_json=json.dumps({"folder": str(folder)}))
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = ExecutorServiceStub(channel)
        running = stub.CallTool(request)
        while not (new := {*ledger(folder)} - before):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.01)
        yield
        open_gates(folder, *[key for key, _ in new])
        await running


async def test_the_call_may_have_gone_to_another_executor_meanwhile(tmp_path: Path) -> None:
    """The one that it was sent to is full when it says that it never saw it, and has room when the frame comes."""
    address = f"127.0.0.1:{free_port()}"
    with executor(tmp_path, env={"GREENLIGHT_EXECUTOR_SLOTS": "1"}) as tools:
        first = tools.ready()
        async with HalfOpenProxy(first["address"]) as link:
            env = {"GREENLIGHT_RESOLVE_INTERVAL": "0.1"}
            with orchestrator(tmp_path, "one", f"{link.address},{address}", env=env) as one:
                async with stub(one.ready()["address"]) as client:
                    batch_id = await recorded_and_held(client, tmp_path, link)
                    with executor(tmp_path, "other", listen=address) as other:
                        await until_served_by(client, "send", 2)
                        async with full(first["address"], tmp_path):
                            link.part()
                            assert await finished(client, batch_id) == {"s": "SUCCEEDED"}
                        await link.release(until=f"{batch_id}/s/1")
                        request = pb.GetProposalRequest(proposal_id=f"{batch_id}/s")
                        attempts = (await client.GetProposal(request)).proposal.attempts
                        boots = [first["boot_id"], other.ready()["boot_id"]]
    assert [(attempt.number, attempt.boot_id) for attempt in attempts] == [*enumerate(boots, 1)]
    assert attempts[0].executor_id != attempts[1].executor_id
    assert [attempt.failure.reason for attempt in attempts] == ["NEVER_SEEN", ""]
    assert [attempt for key, attempt in ledger(tmp_path) if key == "s"] == ["2"], "the late frame started nothing"


async def test_with_the_same_token_on_a_stream_that_is_half_open(tmp_path: Path) -> None:
    """The orchestrator is the same, and so is whose the batch is; only its stream is another one."""
    with executor(tmp_path) as tools:
        async with HalfOpenProxy(tools.ready()["address"]) as link:
            with orchestrator(tmp_path, "one", link.address) as one:
                async with stub(one.ready()["address"]) as client:
                    batch_id = await recorded_and_held(client, tmp_path, link)
                    link.part()
                    assert await finished(client, batch_id) == {"s": "SUCCEEDED"}
                    assert ledger(tmp_path) == [("s", "2")]
                    await link.release(until=f"{batch_id}/s/1")
    assert ledger(tmp_path) == [("s", "2")], "the late frame started nothing"
