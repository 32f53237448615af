"""A call that its executor says it never saw is sent again, and may go to another one."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from greenlight.executor.v1 import executor_pb2
from greenlight.executor.v1.executor_pb2_grpc import ExecutorServiceStub
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.bench.processes import free_port
from tests.recovery.test_late_frames import recorded_and_held
from tests.support.half_open import HalfOpenProxy
from tests.support.starts import executor, finished, ledger, open_gates, orchestrator, stub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


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
                    batch_id = await recorded_and_held(client, tmp_path, link, "send")
                    with executor(tmp_path, "other", listen=address) as other:
                        await until_served_by(client, "send", 2)
                        async with full(first["address"], tmp_path):
                            link.part()
                            assert await finished(client, batch_id) == {"c": "SUCCEEDED"}
                        await link.release(until=f"{batch_id}/c/1")
                        request = pb.GetProposalRequest(proposal_id=f"{batch_id}/c")
                        attempts = (await client.GetProposal(request)).proposal.attempts
                        boots = [first["boot_id"], other.ready()["boot_id"]]
    assert [(attempt.number, attempt.boot_id) for attempt in attempts] == [*enumerate(boots, 1)]
    assert attempts[0].executor_id != attempts[1].executor_id
    assert [attempt.failure.reason for attempt in attempts] == ["NEVER_SEEN", ""]
    assert [attempt for key, attempt in ledger(tmp_path) if key == "c"] == ["2"], "the late frame started nothing"
