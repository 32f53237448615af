"""Server, interceptor and channel together, with a service made up for it."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import wrappers_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from shared.kernel.errors import FieldViolation, InvalidError, UnavailableError
from shared.runtime.caller import caller_of
from shared.runtime.channel import open_channel
from shared.runtime.server import GrpcServer, ListenError

Text = wrappers_pb2.StringValue
SERVICE = "greenlight.test.v1.TestService"


class Service:
    """Does in each method what its name says."""

    async def Say(self, request: Any, context: Any) -> Text:
        caller = caller_of(context)
        return Text(value=f"{caller.tenant} {caller.principal} {caller.traceparent}")

    async def Refuse(self, request: Any, context: Any) -> Text:
        raise InvalidError("NO", "no", violations=[FieldViolation("value", "is wrong")])

    async def Break(self, request: Any, context: Any) -> Text:
        raise KeyError("a secret")

    async def CancelWithin(self, request: Any, context: Any) -> Text:
        task = asyncio.ensure_future(asyncio.Event().wait())
        task.cancel()
        await task
        return Text()

    async def Abort(self, request: Any, context: Any) -> Text:
        await context.abort(grpc.StatusCode.DATA_LOSS, "its own words")
        return Text()

    async def Stream(self, request: Any, context: Any) -> None:
        await context.write(Text(value="first"))
        raise UnavailableError("LATER", "come again", retry_after=2)


def handlers(service: Service) -> Any:
    unary: list[Callable[..., Awaitable[Any]]] = [
        service.Say,
        service.Refuse,
        service.Break,
        service.CancelWithin,
        service.Abort,
    ]
    coders: dict[str, Any] = {"request_deserializer": Text.FromString, "response_serializer": Text.SerializeToString}
    methods: dict[str, Any] = {
        behave.__name__: grpc.unary_unary_rpc_method_handler(behave, **coders) for behave in unary
    }
    methods["Stream"] = grpc.unary_stream_rpc_method_handler(service.Stream, **coders)  # type: ignore[arg-type]
    return grpc.method_handlers_generic_handler(SERVICE, methods)


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = GrpcServer("127.0.0.1:0")
    server.grpc.add_generic_rpc_handlers((handlers(Service()),))
    address = await server.start([])
    async with open_channel(address) as channel:
        yield channel
    await server.stop(0)


def call(channel: grpc.aio.Channel, method: str, **options: Any) -> Any:
    ask = channel.unary_unary(f"/{SERVICE}/{method}", Text.SerializeToString, Text.FromString)
    return ask(Text(), **options)


async def refused(answer: Any) -> tuple[str, str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await answer
    info = error_details_pb2.ErrorInfo()
    error: Any = raised.value
    for packed in getattr(rpc_status.from_call(error), "details", ()):
        packed.Unpack(info)
    return error.code().name, info.reason, error.details()


async def test_callers_are_known_by_their_metadata(channel: grpc.aio.Channel):
    metadata = (("greenlight-tenant", "acme"), ("greenlight-principal", "service:x"), ("traceparent", "00-a-b-01"))
    assert (await call(channel, "Say", metadata=metadata)).value == "acme service:x 00-a-b-01"
    assert (await call(channel, "Say")).value == "default user:anonymous "


async def test_errors_of_the_tree_become_a_status(channel: grpc.aio.Channel):
    assert await refused(call(channel, "Refuse")) == ("INVALID_ARGUMENT", "NO", "no")


async def test_any_other_error_is_ours_and_tells_nothing(channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture):
    assert await refused(call(channel, "Break")) == ("INTERNAL", "INTERNAL", "internal error")
    assert "a secret" in caplog.text


async def test_a_cancellation_from_within_has_a_status(channel: grpc.aio.Channel):
    assert await refused(call(channel, "CancelWithin", timeout=20)) == ("INTERNAL", "INTERNAL", "internal error")


async def test_a_handlers_own_abort_stays(channel: grpc.aio.Channel):
    assert await refused(call(channel, "Abort")) == ("DATA_LOSS", "", "its own words")


async def test_a_stream_says_what_it_has_and_then_why_it_ends(channel: grpc.aio.Channel):
    stream = channel.unary_stream(f"/{SERVICE}/Stream", Text.SerializeToString, Text.FromString)(Text())
    assert (await stream.read()).value == "first"  # type: ignore[union-attr]
    assert await refused(stream.read()) == ("UNAVAILABLE", "LATER", "come again")


async def test_what_is_not_there_is_unimplemented(channel: grpc.aio.Channel):
    assert (await refused(call(channel, "Nothing")))[0] == "UNIMPLEMENTED"


@pytest.mark.parametrize(
    "listen",
    ["", "nonsense", "127.0.0.1:99999", "203.0.113.1:0", "nobody.invalid:1", "a..b:1", ":::0", "unix:0", "[::]", "*:0"],
)
async def test_addresses_that_cannot_be_served_on(listen: str, capfd: pytest.CaptureFixture[str]):
    server = GrpcServer(listen)
    with pytest.raises(ListenError, match="cannot listen on "):
        await server.start([])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("listen", ["127.0.0.1:{}", "0.0.0.0:{}", "localhost:{}", "[::]:{}"])
async def test_a_port_that_is_taken_is_said_once_in_our_words(listen: str, capfd: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = listen.format(taken.getsockname()[1])
        server = GrpcServer(address)
        with pytest.raises(ListenError, match=re.escape(f"cannot listen on {address}: taken")):
            await server.start([])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "[::]:0", "0.0.0.0:0"])
async def test_addresses_that_are_served_on(listen: str, capfd: pytest.CaptureFixture[str]):
    server = GrpcServer(listen)
    address = await server.start([])
    assert address.startswith(listen.removesuffix("0"))
    # A thread of gRPC's may still say that the server before this one has gone.
    out, err = capfd.readouterr()
    assert (out, [line for line in err.splitlines() if "Got goaway" not in line]) == ("", [])
    async with open_channel("127.0.0.1:" + address.rpartition(":")[2]) as channel:
        assert (await refused(call(channel, "Nothing")))[0] == "UNIMPLEMENTED"
    await server.stop(0)
