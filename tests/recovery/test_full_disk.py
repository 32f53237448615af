"""The orchestrator's process may not write to its disk any more, in the middle of its work; then it may again."""

import asyncio
import resource
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from greenlight.tool.v1 import tool_pb2
from tests.bench.processes import Process, environment, python, running
from tests.recovery.test_killed_process import call, executor, until_known, until_started
from tests.support.refusals import Refusal, answered, refusal
from tests.support.services import states

pytestmark = pytest.mark.slow
DEADLINE = 20.0
FIRST, DECISION, SECOND = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(3))


class Disk:
    """Of one process. Full: it may write over what it has written, and no byte behind it."""

    def __init__(self, process: Process, data: Path) -> None:
        self._pid, self._data = process.pid, data
        self._before = resource.prlimit(self._pid, resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        largest = max(path.stat().st_size for path in self._data.iterdir())
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (largest, self._before[1]))

    def free(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, self._before)


class Fault(Protocol):
    """Something that keeps the database from being written, and ends."""

    def fill(self) -> None: ...

    def free(self) -> None: ...


class Client:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub: Any = OrchestratorServiceStub(channel)
        self._health: Any = health_pb2_grpc.HealthStub(channel)

    async def serves(self) -> bool:
        messages: Any = health_pb2
        answer = await self._health.Check(messages.HealthCheckRequest())
        return answer.status == messages.HealthCheckResponse.SERVING

    async def problems(self) -> list[str]:
        return list((await self.stub.GetServerInfo(pb.GetServerInfoRequest())).problems)

    def submit(self, request_id: str, *calls: proposal_pb2.ProposalSpec) -> Any:
        spec = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=calls))
        return self.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec, request_id=request_id), timeout=DEADLINE)

    def approve(self, proposal: proposal_pb2.Proposal) -> Any:
        decision = pb.Decision(
            proposal_id=proposal.proposal_id, verdict=proposal_pb2.VERDICT_APPROVE, digest=proposal.digest
        )
        request = pb.DecideProposalsRequest(decisions=[decision], request_id=DECISION)
        return self.stub.DecideProposals(request, timeout=DEADLINE)


@asynccontextmanager
async def connected(process: Process) -> AsyncGenerator[Client]:
    async with grpc.aio.insecure_channel(process.ready()["address"]) as channel:
        await channel.channel_ready()
        yield Client(channel)


def check_honest(refused: Refusal, says: str) -> None:
    assert refused.short == ("UNAVAILABLE", "STORE_UNAVAILABLE")
    assert refused.retry_after is not None
    assert "not known yet" in refused.message
    assert says in refused.message


async def test_callers_are_told_and_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "ledger").touch()
    with executor(tmp_path) as tools:
        command = python("-m", "orchestrator_svc", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"))
        command += ["--executors", tools.ready()["address"], "--drain-grace", "0"]
        settings = environment(GREENLIGHT_STORE_PATIENCE="0.3")
        with running("orchestrator", command, tmp_path / "one", settings) as one:
            async with connected(one) as client:
                await until_known(client.stub, "read", "write", "send")
                await fill_and_free(client, Disk(one, tmp_path / "data"), tmp_path)


async def fill_and_free(client: Client, disk: Fault, folder: Path, *, held: float = 0, says: str = "") -> None:
    """`held`: for how many seconds more it stays as it is. `says`: what callers are told of it."""
    hard = call("send", "hard", folder)
    hard.tier = tool_pb2.TIER_HARD
    running_before = await client.submit(FIRST, call("read", "r", folder), call("write", "w", folder, "r"), hard)
    first_id = running_before.batch.batch_id
    await until_started(folder, ("r", "1"))
    request = pb.GetProposalRequest(proposal_id=f"{first_id}/hard")
    asked = (await client.stub.GetProposal(request)).proposal
    second = call("read", "second", folder)

    disk.fill()
    check_honest(await refusal(client.submit(SECOND, second)), says)
    assert not await client.serves()
    assert [problem.partition(":")[0] for problem in await client.problems()] == ["STORE_UNAVAILABLE"]
    assert (await refusal(client.approve(asked))).short == ("UNAVAILABLE", "STORE_UNAVAILABLE")
    (folder / "r.gate").touch()
    check_honest(await refusal(client.submit(SECOND, second)), says)
    await asyncio.sleep(held)
    disk.free()

    for name in ("w", "hard", "second"):
        (folder / f"{name}.gate").touch()
    second_id = (await answered(lambda: client.submit(SECOND, second))).batch.batch_id
    await answered(lambda: client.approve(asked))
    for batch_id, keys in ((first_id, ("r", "w", "hard")), (second_id, ("second",))):
        waited = await client.stub.WaitBatch(pb.WaitBatchRequest(batch_id=batch_id, until=pb.UNTIL_FINISHED))
        assert states(waited.summary.answers) == dict.fromkeys(keys, "SUCCEEDED")
    assert await client.serves()
    assert await client.problems() == []
    batches = (await client.stub.ListBatches(pb.ListBatchesRequest())).batches
    assert {batch.batch_id for batch in batches} == {first_id, second_id}, "the request that was repeated made one"
