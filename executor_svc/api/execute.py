"""One Execute stream: a reader and a writer, which never wait for each other."""

import asyncio
from typing import Any

import grpc
import grpc.aio

from executor_svc.api.calls import ask_of, calls_of, cancels_of, sent_to_of
from executor_svc.api.descriptors import descriptor_of
from executor_svc.api.outcomes import fill_slots, response_of
from executor_svc.application.executor import Executor
from executor_svc.application.outbox import Parcel, ProbeEntry
from executor_svc.application.streams import Stream
from greenlight.executor.v1 import executor_pb2 as pb
from shared.kernel.errors import UnavailableError

Context = grpc.aio.ServicerContext[pb.ExecuteRequest, pb.ExecuteResponse]
_RETRY_AFTER = 1.0


class ExecuteStream:
    """Runs until the peer is gone, or has ended its side and has all its answers, or the executor has drained."""

    def __init__(self, executor: Executor, identity: pb.Identity, context: Context) -> None:
        self._executor = executor
        self._identity = identity
        self._context = context
        self._stream: Stream = executor.open_stream()
        self._reading = True

    async def serve(self) -> None:
        """Raises UnavailableError (DRAINING) where the executor ends it."""
        reader: asyncio.Task[Any] | None = None
        try:
            await self._context.write(self._first())
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(self._read(), name="execute: reader")
                await self._write()
                reader.cancel()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._executor.close_stream(self._stream)
        if self._reading:
            raise UnavailableError("DRAINING", "this executor is shutting down", retry_after=_RETRY_AFTER)

    async def _read(self) -> None:
        executor, stream, read = self._executor, self._stream, self._context.read
        while (request := await read()) is not grpc.aio.EOF:
            if request.attaches:
                for attach in request.attaches:
                    executor.attach(stream, ask_of(attach))
            if request.HasField("frame"):
                calls, refusals = calls_of(request.frame)
                for outcome in refusals:
                    stream.outbox.put(outcome)
                executor.submit(stream, calls)
            if request.HasField("probes"):
                calls, refusals = calls_of(request.probes)
                for outcome in refusals:
                    stream.outbox.put(
                        ProbeEntry(outcome.call_id, problem=outcome.failure.message if outcome.failure else "")
                    )
                executor.probe(stream, calls, sent_to_of(request))
            if request.cancels:
                for call_id, epoch in cancels_of(request):
                    executor.cancel(call_id, epoch)
            if request.acknowledgements:
                executor.acknowledge(request.acknowledgements)
        self._reading = False
        stream.outbox.wake.set()

    async def _write(self) -> None:
        outbox = self._stream.outbox
        while True:
            while (parcel := outbox.take()) is not None:
                await self._context.write(self._response(parcel))
            if self._executor.closed or (not self._reading and not self._stream.due):
                return
            await outbox.wake.wait()
            outbox.wake.clear()

    def _first(self) -> pb.ExecuteResponse:
        response = pb.ExecuteResponse(
            identity=self._identity,
            tools=[descriptor_of(spec) for spec in self._executor.specs()],
            draining=self._executor.draining,
            stuck_threads=self._executor.stuck,
        )
        fill_slots(response.slots, self._stream)
        self._stream.outbox.grant = False
        return response

    def _response(self, parcel: Parcel) -> pb.ExecuteResponse:
        response = pb.ExecuteResponse(draining=self._executor.draining, stuck_threads=self._executor.stuck)
        response_of(parcel, response)
        if parcel.grant:
            fill_slots(response.slots, self._stream)
        if parcel.tools:
            response.tools.extend(descriptor_of(spec) for spec in self._executor.specs())
        return response
