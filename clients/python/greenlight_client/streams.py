"""Events as they happen: a stream that goes on after the last event when the connection is lost, without gap or repeat.

What differs between the four streaming RPCs (how to open, where to go on) is in `openings`.
"""

import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

import grpc

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, orchestrator_pb2
from greenlight_client.errors import EventsCompactedError, GreenlightError, ServerError, error_from_rpc
from greenlight_client.openings import Cursor, Message, Opening, StreamCall
from greenlight_client.transport import Transport

_LATE = 1.0


class EventStream:
    """An async iterator of events that ends when the server ends it; then `summary` says what everything came to.

    Use it as `async with stream: async for event in stream: ...`: leaving the block ends the RPC at once (leaving a
    bare `async for` ends it when the stream is collected). Ending a stream never cancels what it watches.
    Raises the client's typed errors; UNAVAILABLE is tried again for as long as the client is set to.
    """

    def __init__(
        self,
        transport: Transport,
        opening: Opening,
        *,
        max_wait: float | None = None,
        on_interruption: Callable[[GreenlightError | None], None] | None = None,
        on_compacted: Callable[[EventsCompactedError], None] | None = None,
    ) -> None:
        self._transport = transport
        self._opening = opening
        self._give_up_at = None if max_wait is None else time.monotonic() + max_wait
        self._on_interruption = on_interruption
        self._on_compacted = on_compacted
        self._patience = transport.patience()
        self._call: StreamCall | None = None
        self._received = Cursor()
        self._delivered = Cursor()
        self._events: deque[event_pb2.Event] = deque()
        self._summary: batch_pb2.Summary | None = None
        self._confirmation: orchestrator_pb2.SoftConfirmation | None = None
        self._ended = False
        self._is_interrupted = False

    @property
    def batch_id(self) -> str:
        """Of the batch that is watched; empty until a new one's first event, and where there are several."""
        return self._opening.batch_id or self._delivered.batch_id

    @property
    def sequence(self) -> int:
        """Of the last event that was handed out: `watch(batch_id, resume_after=sequence)` goes on after it."""
        return self._delivered.sequence

    @property
    def session_token(self) -> str:
        """Where a session's stream stands: `watch_session(session, token)` goes on there."""
        return self._delivered.session_token

    @property
    def ended(self) -> bool:
        """The server ended the stream: nothing more comes."""
        return self._ended and not self._events

    @property
    def summary(self) -> batch_pb2.Summary:
        """What everything came to. RuntimeError before the stream has ended."""
        if self._summary is None:
            raise RuntimeError("the summary comes when the stream has ended")
        return self._summary

    async def finish(self) -> batch_pb2.Summary:
        """Reads to the end and returns the summary."""
        async with self:
            async for _ in self:
                pass
        return self.summary

    def close(self) -> None:
        """Ends the RPC. What is watched goes on."""
        self._cancel()
        self._ended = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> event_pb2.Event:
        while not self._events:
            if self._ended:
                self._delivered.session_token = self._received.session_token
                raise StopAsyncIteration
            await self._receive()
        event = self._events.popleft()
        self._delivered.batch_id = event.batch_id
        self._delivered.sequence = event.sequence
        if not self._events:
            self._delivered.session_token = self._received.session_token
        return event

    async def _receive(self) -> None:
        """Takes one message; opens the call first, or again, where there is none."""
        try:
            call = self._call or await self._open()
            message = await call.read()
        except grpc.aio.AioRpcError as raised:
            self._call = None
            error = error_from_rpc(raised)
            if self._is_over():
                raise error from None
            if isinstance(error, EventsCompactedError) and self._passes_over(error):
                return
            await self._transport.pause(self._patience, error, self._interrupted)
            return
        except BaseException:
            # Cancelled while reading: the call ends, and whoever goes on iterating goes on after the last event.
            self._cancel()
            raise
        if message is grpc.aio.EOF:
            self._end()
            return
        self._patience.reset(self._transport.reconnect_for)
        self._take(cast(Message, message))

    async def _open(self) -> StreamCall:
        if self._confirmation is not None and self._confirmation.more:
            self._confirmation = None  # it was cut off in the middle, and is said again
        call = self._call = self._opening.open(self._received, self._remaining(), self._transport.metadata())
        if self._is_interrupted:
            await call.initial_metadata()  # comes at once, while the first event may take its time
            if not call.done():
                self._is_interrupted = False
                if self._on_interruption is not None:
                    self._on_interruption(None)
        return call

    def _interrupted(self, error: GreenlightError) -> None:
        self._is_interrupted = True
        if self._on_interruption is not None:
            self._on_interruption(error)

    def _passes_over(self, error: EventsCompactedError) -> bool:
        """Goes on with the events that there are, where whoever reads wants to be told of it."""
        can = bool(error.session_token) or bool(self._opening.batch_id)
        if self._on_compacted is None or not can:
            return False
        self._on_compacted(error)
        self._received.session_token = error.session_token
        self._received.sequence = max(self._received.sequence, error.oldest_sequence - 1)
        return True

    def _cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _take(self, message: Message) -> None:
        frame = message.frame
        for event in frame.events:
            if self._received.accept(event):
                self._events.append(event)
        if frame.session_token:
            self._received.session_token = frame.session_token
        if frame.HasField("summary"):
            self._summary = frame.summary
        if isinstance(message, orchestrator_pb2.SoftConfirmResponse) and message.HasField("confirmation"):
            self._confirm(message.confirmation)

    def _confirm(self, part: orchestrator_pb2.SoftConfirmation) -> None:
        """Long ones come in parts; a stream that attaches again says all of it again."""
        if self._confirmation is None or not self._confirmation.more:
            self._confirmation = orchestrator_pb2.SoftConfirmation()
        self._confirmation.MergeFrom(part)
        self._confirmation.more = part.more

    def _end(self) -> None:
        self._call = None
        self._ended = True
        if self._summary is None:
            raise ServerError("the stream ended without a summary", code=grpc.StatusCode.UNKNOWN)

    def _is_over(self) -> bool:
        """Nobody waits any longer: `max_wait` has passed, and some more, in which the server would have said so."""
        return self._give_up_at is not None and time.monotonic() > self._give_up_at + _LATE

    def _remaining(self) -> float | None:
        if self._give_up_at is None:
            return None
        return max(0.001, self._give_up_at - time.monotonic())


class SoftConfirmStream(EventStream):
    """Events of what a SoftConfirm set free; `confirmation` says first what became of each proposal."""

    async def confirmed(self) -> orchestrator_pb2.SoftConfirmation:
        """Waits for all of it, which comes first; events that came with it are still handed out."""
        while (self._confirmation is None or self._confirmation.more) and not self._ended:
            await self._receive()
        if self._confirmation is None or self._confirmation.more:
            raise ServerError("the stream ended without a confirmation", code=grpc.StatusCode.UNKNOWN)
        return self._confirmation
