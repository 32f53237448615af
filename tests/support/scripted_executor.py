"""An executor that does what a test tells it to, right or wrong, over real gRPC: the test reads requests and writes
responses itself. For misbehaviour; what executors do when all is well is tested against the real one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

import grpc

from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.tool.v1 import tool_pb2

_SERVICE = "greenlight.executor.v1.ExecutorService"


def described(name: str = "echo", version: str = "1", **fields: Any) -> tool_pb2.ToolDescriptor:
    """A sound descriptor; `fields` spoil it."""
    sound: dict[str, Any] = {
        "name": name,
        "version": version,
        "arguments_schema_json": "{}",
        "effect": tool_pb2.EFFECT_READ,
        "tier": tool_pb2.TIER_AUTO,
    }
    return tool_pb2.ToolDescriptor(**(sound | fields))


class Conversation:
    """One stream, held by the test. `gone`: the other side, or this one, has ended it."""

    def __init__(self, context: Any) -> None:
        self.requests: asyncio.Queue[pb.ExecuteRequest] = asyncio.Queue()
        self.over = asyncio.Event()
        self.gone = asyncio.Event()
        self.status: tuple[grpc.StatusCode, str] | None = None
        self._context = context

    async def say(self, **fields: Any) -> None:
        await self._context.write(pb.ExecuteResponse(**fields).SerializeToString())

    async def say_bytes(self, data: bytes) -> None:
        await self._context.write(data)

    async def greet(
        self,
        tools: Sequence[tool_pb2.ToolDescriptor] = (),
        slots: int = 8,
        executor_id: str = "scripted",
        boot_id: str = "boot-1",
    ) -> None:
        """The first message, as it should be."""
        await self.say(
            identity=pb.Identity(executor_id=executor_id, boot_id=boot_id, version="0"),
            tools=tools or [described()],
            slots=pb.SlotGrant(total=slots),
        )

    async def calls(self, count: int) -> list[pb.Call]:
        """The next so many calls; requests without calls are skipped."""
        calls: list[pb.Call] = []
        while len(calls) < count:
            calls += (await self.requests.get()).frame.calls
        return calls

    async def succeed(self, *call_ids: str, result: str = "{}") -> None:
        outcomes = [pb.Outcome(call_id=call_id, result_json=result) for call_id in call_ids]
        for outcome in outcomes:
            outcome.start_time.GetCurrentTime()
        await self.say(outcomes=outcomes)

    def end(self, code: grpc.StatusCode | None = None, details: str = "") -> None:
        """Ends the stream from this side."""
        self.status = (code, details) if code else None
        self.over.set()


class ScriptedExecutor:
    """A server on a free port. `conversations` come as streams are opened."""

    def __init__(self) -> None:
        self.conversations: asyncio.Queue[Conversation] = asyncio.Queue()
        self.address = ""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])

    async def next(self) -> Conversation:
        return await self.conversations.get()

    async def start(self, port: int = 0) -> None:
        handler = grpc.stream_stream_rpc_method_handler(
            self._execute, request_deserializer=pb.ExecuteRequest.FromString, response_serializer=None
        )
        self._server.add_registered_method_handlers(_SERVICE, {"Execute": handler})
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Execute": handler}),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port(f'127.0.0.1:{port}')}"
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _execute(self, requests: AsyncIterator[pb.ExecuteRequest], context: Any) -> None:
        conversation = Conversation(context)
        self.conversations.put_nowait(conversation)
        try:
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(_read(requests, conversation))
                await conversation.over.wait()
                reader.cancel()
        finally:
            conversation.gone.set()
        if conversation.status:
            await context.abort(*conversation.status)


async def _read(requests: AsyncIterator[pb.ExecuteRequest], conversation: Conversation) -> None:
    async for request in requests:
        conversation.requests.put_nowait(request)
