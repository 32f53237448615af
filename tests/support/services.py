"""Both services in one process, over real gRPC on free ports and a real SQLite file, with a generated stub in front."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio

from executor_svc.bootstrap import serving as serve_executor
from executor_svc.settings import Settings as ExecutorSettings
from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from orchestrator_svc.bootstrap.service import Serving
from orchestrator_svc.bootstrap.service import serving as serve_orchestrator
from orchestrator_svc.settings import Settings

TOOLBOX = "tests.support.toolboxes.desk"
_FAST: dict[str, Any] = {
    "listen": "127.0.0.1:0",
    "heartbeat_interval": 0.1,
    "resolve_interval": 0.05,
    "retry_initial_delay": 0.01,
    "retry_max_delay": 0.02,
    "cancel_grace": 0.3,
    "drain_grace": 0,
    "queue_timeout": 0.3,
    "reattach_window": 0.3,
}
_FAST_EXECUTOR: dict[str, Any] = {"listen": "127.0.0.1:0", "drain_grace": 0, "stop_grace": 0.05}


@dataclass(frozen=True, slots=True)
class Services:
    """An orchestrator that runs, and a stub to it. `orchestrator` is None once it was stopped."""

    orchestrator: Serving
    channel: grpc.aio.Channel
    stub: Any

    async def tools(self, *names: str) -> None:
        """Until these are known and served."""
        while True:
            answer = await self.stub.ListTools(pb.ListToolsRequest())
            if {*names} <= {tool.descriptor.name for tool in answer.tools if tool.executors}:
                return
            await asyncio.sleep(0.005)

    async def submit(self, *proposals: proposal_pb2.ProposalSpec, **fields: Any) -> batch_pb2.Batch:
        answer = await self.stub.SubmitBatch(pb.SubmitBatchRequest(batch=batch(*proposals, **fields)))
        return answer.batch

    async def run(self, *proposals: proposal_pb2.ProposalSpec, **fields: Any) -> batch_pb2.Summary:
        """Until it is finished, or waits for a person."""
        request = pb.RunBatchRequest(batch=batch(*proposals, **fields), until=pb.UNTIL_BLOCKED)
        return (await read(self.stub.RunBatch(request))).summary

    async def summary(self, batch_id: str, until: pb.Until.ValueType = pb.UNTIL_BLOCKED) -> batch_pb2.Summary:
        answer = await self.stub.WaitBatch(pb.WaitBatchRequest(batch_id=batch_id, until=until))
        assert not answer.summary.wait_ended
        return answer.summary

    async def proposal(self, batch_id: str, key: str) -> proposal_pb2.Proposal:
        request = pb.GetProposalRequest(proposal_id=f"{batch_id}/{key}")
        return (await self.stub.GetProposal(request)).proposal

    async def until_state(self, batch_id: str, key: str, state: proposal_pb2.ProposalState.ValueType) -> None:
        """Watches until the proposal is in that state."""
        async for response in self.stub.WatchBatch(pb.WatchBatchRequest(batch_id=batch_id)):
            if any(event.key == key and event.state == state for event in response.frame.events):
                return
        raise AssertionError(f"{key} never was in that state")

    async def batches(self, **fields: Any) -> list[batch_pb2.Batch]:
        return list((await self.stub.ListBatches(pb.ListBatchesRequest(**fields))).batches)


def call(tool: str, key: str = "", arguments: Any = None, **fields: Any) -> proposal_pb2.ProposalSpec:
    """A proposal; `arguments` as a value or as JSON text, `after`: keys it depends on."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    dependencies = [proposal_pb2.Dependency(key=name) for name in fields.pop("after", ())]
    return proposal_pb2.ProposalSpec(tool=tool, key=key, arguments_json=text, depends_on=dependencies, **fields)


def batch(*proposals: proposal_pb2.ProposalSpec, **fields: Any) -> batch_pb2.BatchSpec:
    return batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=proposals), **fields)


@dataclass(slots=True)
class Received:
    """What came over a stream."""

    events: list[event_pb2.Event] = field(default_factory=list[event_pb2.Event])
    frames: list[event_pb2.EventFrame] = field(default_factory=list[event_pb2.EventFrame])
    confirmation: pb.SoftConfirmation | None = None

    @property
    def summary(self) -> batch_pb2.Summary:
        assert self.frames[-1].HasField("summary")
        return self.frames[-1].summary

    @property
    def sequences(self) -> list[int]:
        return [event.sequence for event in self.events]

    def details(self, key: str = "") -> list[str]:
        """What happened to a proposal (or to the batch), by name."""
        return [str(event.WhichOneof("detail")) for event in self.events if event.key == key]


async def read(stream: AsyncIterable[Any], until: Callable[[Received], bool] = lambda _: False) -> Received:
    """To its end, or until enough came."""
    received = Received()
    async for response in stream:
        if isinstance(response, pb.SoftConfirmResponse) and response.HasField("confirmation"):
            received.confirmation = received.confirmation or pb.SoftConfirmation()
            received.confirmation.MergeFrom(response.confirmation)
            received.confirmation.ClearField("more")
        else:
            received.frames.append(response.frame)
            received.events += response.frame.events
        if until(received):
            break
    return received


def states(answers: Sequence[proposal_pb2.Answer]) -> dict[str, str]:
    """Key -> state, by name."""
    name = proposal_pb2.ProposalState.Name
    return {answer.key: name(answer.state).removeprefix("PROPOSAL_STATE_") for answer in answers}


def state_of(batch: batch_pb2.Batch) -> str:
    return batch_pb2.BatchState.Name(batch.state).removeprefix("BATCH_STATE_")


@asynccontextmanager
async def services(
    folder: Path,
    *,
    toolboxes: Sequence[str] = (TOOLBOX,),
    executors: Sequence[str] = (),
    known: Sequence[str] = ("echo",),
    **settings: Any,
) -> AsyncGenerator[Services]:
    """`executors`: addresses to use instead of an executor of its own. `known`: tools to wait for."""
    async with AsyncExitStack() as stack:
        addresses = list(executors)
        if not addresses and toolboxes:
            executor_settings = ExecutorSettings(toolbox=list(toolboxes), data=folder / "executor", **_FAST_EXECUTOR)
            executor = await stack.enter_async_context(serve_executor(executor_settings))
            addresses = [executor.address]
        given = _FAST | {"executors": addresses, "data": folder} | settings
        orchestrator = await stack.enter_async_context(serve_orchestrator(Settings(**given)))
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(orchestrator.address, options=options))
        running = Services(orchestrator, channel, OrchestratorServiceStub(channel))
        if addresses:
            await running.tools(*known)
        yield running
