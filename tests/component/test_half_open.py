"""Connections that are up and carry nothing any more: both ends give them up when a ping has had no answer in time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import pytest

from greenlight_client import servers
from shared.runtime.limits import CHANNEL_OPTIONS, SERVER_OPTIONS
from tests.support.proxy import CuttableProxy

Options = Sequence[tuple[str, Any]]


def eager(options: Options) -> list[tuple[str, Any]]:
    """The same, with a ping each second: the time that an answer has stays as it is."""
    sooner = {"grpc.keepalive_time_ms": 1_000, "grpc.http2.min_ping_interval_without_data_ms": 500}
    return [(name, sooner.get(name, value)) for name, value in options]


class Endless(grpc.GenericRpcHandler):
    """Streams that answer once, and end only with their connection. `gone`: one more has."""

    def __init__(self) -> None:
        self.gone = asyncio.Semaphore(0)

    def service(self, handler_call_details: object) -> Any:
        return grpc.unary_stream_rpc_method_handler(self._answer)

    async def _answer(self, request: bytes, context: object) -> AsyncIterator[bytes]:
        yield request
        try:
            await asyncio.Event().wait()
        finally:
            self.gone.release()


async def test_both_ends_notice() -> None:
    handler, watching = Endless(), asyncio.Semaphore(0)
    server = grpc.aio.server(options=eager(SERVER_OPTIONS))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()

    async def watch(proxy: CuttableProxy, options: Options) -> grpc.StatusCode:
        async with grpc.aio.insecure_channel(proxy.address, options=options) as channel:
            call = channel.unary_stream("/any/Method")(b"x")
            assert await call.read() == b"x"
            watching.release()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            return caught.value.code()

    async with CuttableProxy(f"127.0.0.1:{port}") as proxy, asyncio.TaskGroup() as tasks:
        never = tasks.create_task(watch(proxy, [("grpc.use_local_subchannel_pool", 1)]))
        ours = [tasks.create_task(watch(proxy, eager(options))) for options in (CHANNEL_OPTIONS, servers._OPTIONS)]
        for _ in (never, *ours):
            await watching.acquire()
        proxy.swallowing = True
        for _ in (never, *ours):
            await handler.gone.acquire()
        assert [await each for each in ours] == [grpc.StatusCode.UNAVAILABLE] * 2
        assert not never.done()
        never.cancel()
    await server.stop(None)
