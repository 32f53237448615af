"""One client for each pair: generated stub, one batch at a time or many at once, until the last event."""

import asyncio
import importlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import grpc
from grpc_tools import protoc

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, orchestrator_pb2, proposal_pb2
from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from tests.bench.processes import Process, environment, free_port, python, running
from tests.bench.services import Services

CEILING = Path(__file__).with_name("ceiling")
# Its executor, and the same with a tool that takes 50 ms.
NOOP, SLOW = CEILING / "ex.py", Path(__file__).with_name("slow_ceiling.py")
# Exactly 200 bytes, the same for both pairs and for the peers.
ARGUMENTS = '{"text":"' + "x" * 189 + '"}'


class Client(Protocol):
    async def run(self, count: int) -> float:
        """One batch of `count` no-op calls, to the end of its stream; returns when its last event came."""
        ...


async def seconds(client: Client, counts: Sequence[int]) -> float:
    """How long batches of `counts` calls take, all sent at once, until the last event of the last one."""
    start = time.perf_counter()
    return max(await asyncio.gather(*(client.run(count) for count in counts))) - start


async def warm_up(*clients: Client) -> None:
    for client in clients:
        await client.run(1000)
        await client.run(5)


def batch(items: list[proposal_pb2.ProposalSpec]) -> orchestrator_pb2.RunBatchRequest:
    spec = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=items))
    return orchestrator_pb2.RunBatchRequest(batch=spec)


class Ours:
    # Calls of `tool`, which does nothing.
    def __init__(self, channel: grpc.aio.Channel, tool: str = "noop") -> None:
        self.stub = OrchestratorServiceStub(channel)
        self.tool = tool

    async def run(self, count: int) -> float:
        new = proposal_pb2.ProposalSpec
        request = batch([new(key=str(i), tool=self.tool, arguments_json=ARGUMENTS) for i in range(count)])
        summary, last = None, 0.0
        async for response in self.stub.RunBatch(request):
            if response.frame.events:
                last = time.perf_counter()
            if response.frame.HasField("summary"):
                summary = response.frame.summary
        assert summary is not None
        assert summary.batch.counts.succeeded == count, summary.batch
        return last

    async def events(self, request: orchestrator_pb2.RunBatchRequest) -> AsyncIterator[event_pb2.Event]:
        """The events of a batch as they come."""
        async for response in self.stub.RunBatch(request):
            for event in response.frame.events:
                yield event


class Ceiling:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.messages: Any = importlib.import_module("o_pb2")
        self.stub: Any = importlib.import_module("o_pb2_grpc").OrchStub(channel)
        self.arguments = ARGUMENTS.encode()

    async def run(self, count: int) -> float:
        new = self.messages.Call
        calls = [new(id=str(i), tool="noop", args=self.arguments) for i in range(count)]
        events, last = 0, 0.0
        async for frame in self.stub.Run(self.messages.Batch(calls=calls)):
            events += len(frame.events)
            last = time.perf_counter()
        assert events == 4 * count, events
        return last


@asynccontextmanager
async def ours(services: Services, tool: str = "noop") -> AsyncIterator[Ours]:
    """A client on its own channel."""
    async with grpc.aio.insecure_channel(services.orchestrator_address) as channel:
        yield Ours(channel, tool)


@contextmanager
def _generated() -> Iterator[Path]:
    # Importable here and in the two processes, and nowhere near the committed files.
    with tempfile.TemporaryDirectory(prefix="greenlight-ceiling-") as folder:
        arguments = ["protoc", f"-I{CEILING}", f"--python_out={folder}", f"--grpc_python_out={folder}", "o.proto"]
        if protoc.main(arguments) != 0:
            raise SystemExit("protoc failed")
        sys.path.insert(0, folder)
        try:
            yield Path(folder)
        finally:
            sys.path.remove(folder)


@contextmanager
def ceiling_pair(folder: Path, executor_program: Path) -> Iterator[tuple[Process, str]]:
    """The ceiling as two processes; yields its orchestrator and the address."""
    with _generated() as generated:
        ex, orch = free_port(), free_port()
        # It leaves its database behind when it is stopped: with the rest of what is deleted.
        folder.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(generated), str(CEILING)])
        env = environment(EX=str(ex), OR=str(orch), PYTHONPATH=path, TMPDIR=str(folder))
        with running("ceiling-executor", python(str(executor_program)), folder, env) as executor:
            executor.listening(ex)
            with running("ceiling-orchestrator", python(str(CEILING / "orch.py")), folder, env) as orchestrator:
                orchestrator.listening(orch)
                yield orchestrator, f"127.0.0.1:{orch}"


@asynccontextmanager
async def ceiling(folder: Path, executor_program: Path = NOOP) -> AsyncIterator[Ceiling]:
    with ceiling_pair(folder, executor_program) as (_, address):
        async with grpc.aio.insecure_channel(address) as channel:
            yield Ceiling(channel)
