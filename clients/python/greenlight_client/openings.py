"""How each of the four streaming RPCs is opened, and opened again after the last event that came."""

from dataclasses import dataclass, field
from typing import Protocol

import grpc

from greenlight.orchestrator.v1 import event_pb2, orchestrator_pb2
from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from greenlight_client.wire import duration

Message = (
    orchestrator_pb2.RunBatchResponse
    | orchestrator_pb2.WatchBatchResponse
    | orchestrator_pb2.WatchSessionResponse
    | orchestrator_pb2.SoftConfirmResponse
)


class StreamCall(Protocol):
    """What a stream needs of grpc's call: `read` gives a Message, or `grpc.aio.EOF` at its end."""

    async def read(self) -> object: ...

    async def initial_metadata(self) -> object: ...

    def done(self) -> bool: ...

    def cancel(self) -> bool: ...


@dataclass(slots=True)
class Cursor:
    """Where a stream stands. `heads`: last sequence by batch, against repeats of a stream that starts anew."""

    batch_id: str = ""
    sequence: int = 0
    session_token: str = ""
    heads: dict[str, int] = field(default_factory=dict[str, int])

    def accept(self, event: event_pb2.Event) -> bool:
        """Moves on to `event`; False where it had been there already."""
        if event.sequence <= self.heads.get(event.batch_id, 0):
            return False
        self.heads[event.batch_id] = event.sequence
        self.batch_id, self.sequence = event.batch_id, event.sequence
        return True


class Opening(Protocol):
    """Starts the RPC after `cursor`; `max_wait` is what is left of it in seconds."""

    batch_id: str

    def open(self, cursor: Cursor, max_wait: float | None, metadata: grpc.aio.Metadata) -> StreamCall: ...


class WatchBatch:
    """A batch that is there."""

    def __init__(
        self, stub: OrchestratorServiceStub, batch_id: str, resume_after: int, until: orchestrator_pb2.Until.ValueType
    ) -> None:
        self.batch_id = batch_id
        self._stub = stub
        self._resume_after = resume_after
        self._until = until

    def open(self, cursor: Cursor, max_wait: float | None, metadata: grpc.aio.Metadata) -> StreamCall:
        request = orchestrator_pb2.WatchBatchRequest(
            batch_id=self.batch_id,
            resume_after=max(self._resume_after, cursor.sequence),
            until=self._until,
            max_wait=duration(max_wait),
        )
        return self._stub.WatchBatch(request, metadata=metadata)


class RunBatch:
    """A new batch. Until its first event came, the same request asks again (by its id); after that it is watched."""

    def __init__(self, stub: OrchestratorServiceStub, request: orchestrator_pb2.RunBatchRequest) -> None:
        self.batch_id = ""
        self._stub = stub
        self._request = request

    def open(self, cursor: Cursor, max_wait: float | None, metadata: grpc.aio.Metadata) -> StreamCall:
        if cursor.batch_id:
            self.batch_id = cursor.batch_id
            return WatchBatch(self._stub, cursor.batch_id, 0, self._request.until).open(cursor, max_wait, metadata)
        return self._stub.RunBatch(self._request, metadata=metadata)  # the very same: its id stands for its payload


class WatchSession:
    """All batches of a session; `until` None never ends by itself."""

    def __init__(
        self,
        stub: OrchestratorServiceStub,
        session_id: str,
        session_token: str,
        until: orchestrator_pb2.Until.ValueType | None,
    ) -> None:
        self.batch_id = ""
        self._stub = stub
        self._request = orchestrator_pb2.WatchSessionRequest(
            session_id=session_id, session_token=session_token, until=until or orchestrator_pb2.UNTIL_UNSPECIFIED
        )

    def open(self, cursor: Cursor, max_wait: float | None, metadata: grpc.aio.Metadata) -> StreamCall:
        request = orchestrator_pb2.WatchSessionRequest()
        request.CopyFrom(self._request)
        if cursor.session_token:
            request.session_token = cursor.session_token
        if (left := duration(max_wait)) is not None:
            request.max_wait.CopyFrom(left)
        return self._stub.WatchSession(request, metadata=metadata)


class SoftConfirm:
    """A user's turn. The same request id attaches again and confirms nothing more; the cursor drops the repeats."""

    def __init__(self, stub: OrchestratorServiceStub, request: orchestrator_pb2.SoftConfirmRequest) -> None:
        self.batch_id = ""
        self._stub = stub
        self._request = request

    def open(self, cursor: Cursor, max_wait: float | None, metadata: grpc.aio.Metadata) -> StreamCall:
        return self._stub.SoftConfirm(self._request, metadata=metadata)
