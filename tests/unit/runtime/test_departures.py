"""What gRPC's log says of clients that leave in the middle, and of what is truly wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import wrappers_pb2

from shared.runtime.channel import open_channel
from shared.runtime.departures import take_departures_calmly
from shared.runtime.server import GrpcServer

Text = wrappers_pb2.StringValue
SERVICE = "elsewhere.TestService"
STREAMS = 100
ROUNDS = 10


class Service:
    def __init__(self) -> None:
        self.ended = asyncio.Semaphore(0)

    async def Flow(self, request: Any, context: Any) -> None:
        try:
            while True:
                await context.write(Text(value="x" * 20_000))
        finally:
            self.ended.release()

    async def Fail(self, request: Any, context: Any) -> None:
        raise grpc.aio.InternalError("Failed grpc_call_start_batch: 8")


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def channel(service: Service) -> AsyncIterator[grpc.aio.Channel]:
    server = GrpcServer("127.0.0.1:0")
    coders: dict[str, Any] = {"request_deserializer": Text.FromString, "response_serializer": Text.SerializeToString}
    methods: dict[str, Any] = {
        behave.__name__: grpc.unary_stream_rpc_method_handler(behave, **coders)  # type: ignore[arg-type]
        for behave in (service.Flow, service.Fail)
    }
    server.grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    address = await server.start([])
    async with open_channel(address) as channel:
        yield channel
    await server.stop(0)


def call(channel: grpc.aio.Channel, method: str) -> Any:
    return channel.unary_stream(f"/{SERVICE}/{method}", Text.SerializeToString, Text.FromString)(Text())


def log_departure() -> None:
    """What gRPC logs when the write to a client fails that has left."""
    left = grpc.aio.InternalError('Failed "execute_batch": (SendMessageOperation,)')
    logging.getLogger("grpc._cython.cygrpc").error("ExecuteBatchError raised in core", exc_info=left)


async def leave(channel: grpc.aio.Channel, service: Service) -> None:
    streams = [call(channel, "Flow") for _ in range(STREAMS)]
    for stream in streams:
        await stream.read()
    for stream in streams:
        stream.cancel()
    for _ in streams:
        await service.ended.acquire()


async def test_clients_that_leave_in_the_middle_of_a_write_are_no_error(
    channel: grpc.aio.Channel, service: Service, caplog: pytest.LogCaptureFixture
):
    """By which of two ways gRPC learns of it first is chance: it may have nothing to say."""
    caplog.set_level(logging.DEBUG, "grpc")
    for _ in range(ROUNDS):
        await leave(channel, service)
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
    assert "Traceback" not in caplog.text


def test_what_is_said_of_them_is_one_line_for_who_debugs(caplog: pytest.LogCaptureFixture):
    take_departures_calmly()
    caplog.set_level(logging.DEBUG, "grpc")
    log_departure()
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert "a client left while it was answered" in record.message
    assert "\n" not in caplog.text.strip()


def test_at_the_usual_level_nothing_is_said_of_them(caplog: pytest.LogCaptureFixture):
    take_departures_calmly()
    caplog.set_level(logging.INFO)
    log_departure()
    assert caplog.records == []


async def test_what_is_truly_wrong_is_logged_as_it_was(channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture):
    with pytest.raises(grpc.aio.AioRpcError):
        await call(channel, "Fail").read()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "Failed grpc_call_start_batch" in caplog.text
    assert "Traceback" in caplog.text
