"""Keeps one stream up to one address: connects, reads, writes, and begins again with a growing, random delay."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Protocol, cast

import grpc
from google.protobuf.message import DecodeError
from tenacity import wait_random_exponential

from greenlight.executor.v1 import executor_pb2 as pb
from orchestrator_svc.adapters.executor.mailbox import Mailbox
from orchestrator_svc.adapters.executor.stream import Stream
from shared.kernel.clock import Clock
from shared.runtime.limits import CHANNEL_OPTIONS

_log = logging.getLogger(__name__)
_METHOD = "/greenlight.executor.v1.ExecutorService/Execute"
_DELAY = wait_random_exponential(multiplier=0.1, max=1.0)
_DUPLICATE_DELAY = 30.0
_STEADY = 10.0
_HELLO_TIMEOUT = 10.0
_OPTIONS: list[tuple[str, int]] = [
    *CHANNEL_OPTIONS,
    ("grpc.use_local_subchannel_pool", 1),  # else a new channel inherits the old one's back-off
    ("grpc.enable_http_proxy", 0),
]


class Streams(Protocol):
    """Who is told of streams."""

    def opened(self, stream: Stream) -> bool:
        """Before the first message is taken in. False: that executor start is connected already."""
        ...

    def changed(self) -> None: ...

    def ended(self, stream: Stream) -> None: ...


class _StreamError(Exception):
    """The stream has to end; says why."""


class _DuplicateError(_StreamError):
    """The same executor start answers at another address, too."""


class Link:
    """`run` until it is cancelled, or until the address is no longer `wanted` and the stream has ended."""

    def __init__(
        self, address: str, authority: str, hello: pb.Hello, mailbox: Mailbox, streams: Streams, clock: Clock
    ) -> None:
        self.address = address
        self.wanted = True
        self.stream: Stream | None = None
        self._options = [*_OPTIONS, ("grpc.default_authority", authority)]
        self._hello = hello
        self._mailbox = mailbox
        self._streams = streams
        self._clock = clock

    async def run(self) -> None:
        attempt = 0
        while self.wanted:
            began = self._clock.monotonic()
            duplicate = False
            try:
                await self._connect()
                reason = "it ended the stream"
            except grpc.aio.AioRpcError as error:
                reason = f"{error.code().name}: {error.details()}"
            except _StreamError as error:
                reason, duplicate = str(error), isinstance(error, _DuplicateError)
            except TimeoutError:
                reason = f"it did not say who it is within {_HELLO_TIMEOUT:.0f} s"
            except Exception as error:  # whatever it was: the other executors, and the next try, must not suffer
                _log.exception("the stream to the executor at %s has failed", self.address)
                reason = f"{type(error).__name__}: {error}"
            if _is_cancelled():  # a stream that breaks at the same moment hides it
                raise asyncio.CancelledError
            attempt = 1 if self._clock.monotonic() - began >= _STEADY else attempt + 1
            delay = _DUPLICATE_DELAY if duplicate else retry_delay(attempt)
            level = logging.WARNING if attempt == 1 else logging.DEBUG
            _log.log(level, "no stream to the executor at %s: %s; next try in %.1f s", self.address, reason, delay)
            await asyncio.sleep(delay)

    async def _connect(self) -> None:
        async with grpc.aio.insecure_channel(self.address, options=self._options) as channel:
            call = channel.stream_stream(
                _METHOD, request_serializer=pb.ExecuteRequest.SerializeToString, response_deserializer=_parse
            )()
            try:
                with suppress(asyncio.InvalidStateError):  # over already: reading says why
                    await call.write(pb.ExecuteRequest(hello=self._hello))
                await self._converse(call)
            finally:
                call.cancel()

    async def _converse(self, call: "grpc.aio.StreamStreamCall[pb.ExecuteRequest, pb.ExecuteResponse | None]") -> None:
        messages = aiter(call)
        async with asyncio.timeout(_HELLO_TIMEOUT):
            first = await _next(messages)
        if first is None:
            return
        if not (first.identity.executor_id and first.identity.boot_id):
            raise _StreamError("its first message does not say who it is")
        stream = Stream(first.identity, self.address, self._mailbox, self._clock)
        if not self._streams.opened(stream):
            raise _DuplicateError("the same executor is connected at another of its addresses")
        self.stream = stream
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(_write(call, stream))
                await self._read(messages, first, stream)
                writer.cancel()
        except* grpc.aio.AioRpcError as errors:
            raise errors.exceptions[0] from None
        except* _StreamError as errors:
            raise errors.exceptions[0] from None
        finally:
            self.stream = None
            stream.end()
            self._streams.ended(stream)

    async def _read(
        self, messages: AsyncIterator[pb.ExecuteResponse | None], first: pb.ExecuteResponse, stream: Stream
    ) -> None:
        message: pb.ExecuteResponse | None = first
        while message is not None:
            if stream.receive(message):
                self._streams.changed()
            await self._mailbox.room()
            message = await _next(messages)


async def _write(call: "grpc.aio.StreamStreamCall[pb.ExecuteRequest, Any]", stream: Stream) -> None:
    outbox = stream.outbox
    while True:
        await outbox.wake.wait()
        outbox.wake.clear()
        while (request := outbox.next_request()) is not None:
            try:
                await call.write(request)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                return  # the reader hears why


async def _next(messages: AsyncIterator[pb.ExecuteResponse | None]) -> pb.ExecuteResponse | None:
    """None: the stream has ended."""
    try:
        message = await anext(messages)
    except StopAsyncIteration:
        return None
    except asyncio.CancelledError:
        # grpc.aio raises this also where the other side answered CANCELLED.
        if _is_cancelled():
            raise
        raise _StreamError("it answered CANCELLED") from None
    if message is None:
        raise _StreamError("it sent what is not a message of this protocol")
    return message


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _parse(data: bytes) -> pb.ExecuteResponse | None:
    try:
        return pb.ExecuteResponse.FromString(data)
    except DecodeError:
        return None


def retry_delay(attempt: int) -> float:
    """Full jitter, 0.1 s doubling to 1 s: who is back has calls that are waited for, in a window.

    tenacity's strategies look at the attempt's number alone.
    """
    state = cast(Any, _Attempt())
    state.attempt_number = attempt
    return _DELAY(state)


class _Attempt:
    attempt_number: int
