"""The journal cannot be written for a while: the process may make no file larger, as on a full disk."""

import asyncio
import resource
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.executor.v1.executor_pb2_grpc import ExecutorServiceStub
from tests.bench.processes import Process
from tests.recovery.test_killed_executor import Site
from tests.recovery.test_killed_process import until_started
from tests.support.executor import call, failure

pytestmark = pytest.mark.slow


def allow(process: Process, size: int) -> None:
    """How large a file it may make."""
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, hard))


class Sender:
    def __init__(self, stub: Any) -> None:
        self._stub, self._stream = stub, stub.Execute()
        self.outcomes: dict[str, pb.Outcome] = {}

    async def send(self, *calls: pb.Call) -> None:
        frame = pb.CallFrame(origins=[pb.Origin()], calls=calls)
        await self._stream.write(pb.ExecuteRequest(frame=frame))

    async def outcome(self, call_id: str) -> pb.Outcome:
        while call_id not in self.outcomes:
            response = await self._stream.read()
            self.outcomes.update((outcome.call_id, outcome) for outcome in response.outcomes)
        return self.outcomes[call_id]

    async def problem(self) -> str:
        return (await self._stub.GetServerInfo(pb.GetServerInfoRequest())).journal_problem


@asynccontextmanager
async def sender(process: Process) -> AsyncGenerator[Sender]:
    async with grpc.aio.insecure_channel(process.ready()["address"]) as channel:
        yield Sender(ExecutorServiceStub(channel))


async def test_it_refuses_what_it_cannot_write_down_keeps_what_ended_and_goes_on(tmp_path: Path) -> None:
    site = Site(tmp_path)
    arguments = {"folder": str(tmp_path)}
    running, refused, later = (call(key, "pay", arguments, idempotency_key="k") for key in ("a", "b", "c"))
    look = call("d", "read", arguments, idempotency_key="k")
    site.open("a.go", "c.go", "c.gate", "d.gate")
    with site.executor() as executor:
        async with sender(executor) as client:
            await client.send(running)
            await until_started(tmp_path, ("a", "1"))
            allow(executor, 4096)  # its log has room, no page of a database has
            await client.send(refused, look)
            said = await client.outcome(refused.id)
            assert failure(said) == ("UNAVAILABLE", "NONE", "JOURNAL_UNAVAILABLE")
            assert said.failure.refused
            assert said.failure.HasField("retry_after")
            assert (await client.outcome(look.id)).result_json == '"d"'
            await asyncio.sleep(0.3)
            assert "journal.db cannot be used now" in await client.problem(), "as long as it lasts"
            site.open("a.gate")
            await asyncio.sleep(0.3)
            assert running.id not in client.outcomes
            allow(executor, resource.RLIM_INFINITY)
            ended = await client.outcome(running.id)
            assert ended.result_json == '"a"'
            assert ended.journal_position > 0
            assert await client.problem() == ""
            await client.send(later)
            assert (await client.outcome(later.id)).result_json == '"c"'
    assert [key for key, _ in site.effects] == ["a", "d", "c"]
