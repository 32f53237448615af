"""A real executor on a free port, and a peer that talks to it by the generated stub."""

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc.aio

from executor_svc.bootstrap import Serving, serving
from executor_svc.settings import Settings
from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.executor.v1.executor_pb2_grpc import ExecutorServiceStub
from greenlight.tool.v1 import tool_pb2

TOOLBOX = Path(__file__).with_name("toolbox.py")
MISBEHAVING = Path(__file__).parent / "toolboxes/misbehaving.py"
HOSTILE = Path(__file__).parent / "toolboxes/hostile.py"
BATCH = "01900000-0000-7000-8000-000000000000"


def digest(tool: str, version: str, arguments: str) -> str:
    text = f"greenlight.call.v1\n{tool}\n{version}\n{arguments}"
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def call(key: str, tool: str, arguments: Any = None, **given: Any) -> pb.Call:
    """A well-formed call; `arguments` a value or JSON text, `timeout` seconds, anything else a field."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, separators=(",", ":"))
    version = given.pop("version", "1")
    timeout = given.pop("timeout", None)
    fields: dict[str, Any] = {
        "id": f"{BATCH}/{key}/1",
        "tool": tool,
        "version": version,
        "arguments_json": text,
        "digest": digest(tool, version, text),
        "idempotency_key": f"key of {key}",
        "attempt": 1,
        "agent": "data",
    }
    made = pb.Call(**fields | given)
    if timeout is not None:
        made.timeout.FromNanoseconds(round(timeout * 1e9))
    return made


def origin(**given: Any) -> pb.Origin:
    fields: dict[str, Any] = {"tenant": "acme", "principal": "user:ann", "session_id": "s", "batch_id": BATCH}
    return pb.Origin(**fields | given)


class Peer:
    """One Execute stream. Collects what comes; `outcome(id)` and `until` wait for it."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.first = pb.ExecuteResponse()
        self.outcomes: dict[str, list[pb.Outcome]] = defaultdict(list)
        self.messages: list[pb.ExecuteResponse] = []
        self.ended: grpc.aio.AioRpcError | None = None
        self.is_over = False
        self._news = asyncio.Condition()

    @property
    def slots(self) -> pb.SlotGrant:
        """The newest grant."""
        return [message.slots for message in self.messages if message.HasField("slots")][-1]

    @property
    def stuck(self) -> int:
        return self.messages[-1].stuck_threads

    def all(self, field: str) -> list[Any]:
        """Every entry of a repeated field, in order."""
        return [entry for message in self.messages for entry in getattr(message, field)]

    async def collect(self) -> None:
        try:
            async for message in self.stream:
                async with self._news:
                    self.messages.append(message)
                    for outcome in message.outcomes:
                        self.outcomes[outcome.call_id].append(outcome)
                    self._news.notify_all()
        except grpc.aio.AioRpcError as error:
            self.ended = error
        except asyncio.CancelledError:
            if not self.stream.cancelled():
                raise
        async with self._news:
            self.is_over = True
            self._news.notify_all()

    async def send(self, *calls: pb.Call, origins: Iterable[pb.Origin] | None = None, **fields: Any) -> None:
        request = pb.ExecuteRequest(**fields)
        if calls:
            request.frame.origins.extend([origin()] if origins is None else origins)
            request.frame.calls.extend(calls)
        await self.stream.write(request)

    async def attach(self, call_id: str, boot_id: str, token: pb.FencingToken | None = None) -> None:
        await self.send(attaches=[pb.Attach(call_id=call_id, boot_id=boot_id, fencing_token=token)])

    async def until(self, condition: Callable[[], Any]) -> Any:
        async with self._news:
            await self._news.wait_for(lambda: condition() or self.is_over)
        assert condition(), f"the stream ended before: {self.ended}"
        return condition()

    async def outcome(self, call_id: str, count: int = 1) -> pb.Outcome:
        """The newest outcome of a call, once there are `count`."""
        await self.until(lambda: len(self.outcomes[call_id]) >= count)
        return self.outcomes[call_id][-1]

    async def run(self, key: str, tool: str, arguments: Any = None, **given: Any) -> pb.Outcome:
        """Sends one call and waits for its outcome."""
        made = call(key, tool, arguments, **given)
        await self.send(made)
        return await self.outcome(made.id)

    async def end(self) -> None:
        """Ends the stream the hard way."""
        self.stream.cancel()
        await self.until_over()

    async def until_over(self) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self.is_over)


class Executor:
    """A service that runs, and a channel to it."""

    def __init__(self, service: Serving, channel: grpc.aio.Channel, tasks: asyncio.TaskGroup) -> None:
        self.service = service
        self.channel = channel
        self.stub: Any = ExecutorServiceStub(channel)
        self._tasks = tasks
        self._peers: list[Peer] = []

    @property
    def boot_id(self) -> str:
        return self.service.executor.identity.boot_id

    async def connect(self) -> Peer:
        peer = Peer(self.stub.Execute())
        self._peers.append(peer)
        self._tasks.create_task(peer.collect())
        await peer.until(lambda: peer.messages)
        peer.first = peer.messages[0]
        return peer

    def disconnect(self) -> None:
        for peer in self._peers:
            peer.stream.cancel()


@asynccontextmanager
async def executor(*toolboxes: str | Path, **given: Any) -> AsyncGenerator[Executor]:
    """Settings that wait for nothing; `given` replaces any. Its journal goes with it, unless `data` says where."""
    fast: dict[str, Any] = {"listen": "127.0.0.1:0", "drain_grace": 0.05, "stop_grace": 0.05, "loop_block_limit": 5}
    names = [str(toolbox) for toolbox in toolboxes or (TOOLBOX, MISBEHAVING)]
    with TemporaryDirectory() as folder:
        async with _serving(Settings.model_validate({"toolbox": names, "data": folder} | fast | given)) as running:
            yield running


@asynccontextmanager
async def _serving(settings: Settings) -> AsyncGenerator[Executor]:
    async with (
        serving(settings) as service,
        grpc.aio.insecure_channel(service.address) as channel,
        asyncio.TaskGroup() as tasks,
    ):
        running = Executor(service, channel, tasks)
        try:
            yield running
        finally:
            running.disconnect()


def failure(outcome: pb.Outcome) -> tuple[str, str, str]:
    """Class, known effect and reason, by name."""
    assert outcome.WhichOneof("ending") == "failure", outcome
    said = outcome.failure
    return (
        tool_pb2.FailureClass.Name(said.failure_class).removeprefix("FAILURE_CLASS_"),
        tool_pb2.KnownEffect.Name(said.known_effect).removeprefix("KNOWN_EFFECT_"),
        said.reason,
    )


def result(outcome: pb.Outcome) -> Any:
    assert outcome.WhichOneof("ending") == "result_json", outcome
    return json.loads(outcome.result_json)
