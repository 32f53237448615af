"""From calls to frames: an origin once a frame and batch, at most 64 calls or 1 MiB, one call may exceed that."""

from collections.abc import Sequence
from functools import lru_cache

from google.protobuf.duration_pb2 import Duration

from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.domain.tool import Effect
from orchestrator_svc.ports.executor import Ask, Call, Cancel, Origin

FRAME_CALLS = 64
FRAME_BYTES = 1 << 20
_CALL_OVERHEAD = 384
_ORIGINS_KEPT = 256
_SECOND = 1_000_000_000
_EFFECTS = {
    Effect.READ: tool_pb2.EFFECT_READ,
    Effect.IDEMPOTENT: tool_pb2.EFFECT_IDEMPOTENT,
    Effect.NON_IDEMPOTENT: tool_pb2.EFFECT_NON_IDEMPOTENT,
}


class FrameWriter:
    """Remembers what it made of a batch's origin, which is the same object for all calls of the batch."""

    def __init__(self) -> None:
        self._origins: dict[Origin, pb.Origin] = {}

    def write(self, calls: Sequence[Call], frame: pb.CallFrame) -> None:
        """Appends the calls and their origins to an empty frame."""
        add = frame.calls.add
        index: dict[Origin, int] = {}
        for call in calls:
            origin = call.origin
            position = index.get(origin)
            if position is None:
                position = index[origin] = len(index)
                frame.origins.append(self._origin(origin))
            tool = call.tool
            add(
                id=call.id,
                origin=position,
                tool=tool.name,
                version=tool.version,
                arguments_json=call.arguments,
                digest=call.digest,
                idempotency_key=call.idempotency_key,
                attempt=call.attempt,
                agent=call.agent,
                timeout=None if call.timeout is None else _duration(call.timeout),
                span_id=call.span_id,
            )

    def _origin(self, origin: Origin) -> pb.Origin:
        written = self._origins.get(origin)
        if written is None:
            if len(self._origins) >= _ORIGINS_KEPT:
                self._origins.clear()
            written = self._origins[origin] = _write_origin(origin)
        return written


def frame_length(calls: Sequence[Call]) -> int:
    """How many of the first calls go into one frame; at least one."""
    size, origin = 0, None
    for count, call in enumerate(calls):
        if count == FRAME_CALLS:
            return count
        size += _CALL_OVERHEAD + _bytes(call.arguments)
        if call.origin is not origin:
            origin = call.origin
            size += _bytes(origin.context)
        if size > FRAME_BYTES and count:
            return count
    return len(calls)


def write_attach(ask: Ask) -> pb.Attach:
    return pb.Attach(
        call_id=ask.call_id,
        boot_id=ask.boot_id,
        effect=_EFFECTS[ask.effect],
        journal_position=ask.position,
        fencing_token=_write_token(*ask.token),
    )


def write_cancels(cancels: Sequence[Cancel], request: pb.ExecuteRequest) -> None:
    request.cancels.extend(cancel.call_id for cancel in cancels)
    request.cancel_tokens.extend(_write_token(*cancel.token) for cancel in cancels)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _write_origin(origin: Origin) -> pb.Origin:
    return pb.Origin(
        tenant=origin.tenant,
        principal=origin.principal,
        session_id=origin.session_id,
        context_json=origin.context,
        batch_id=origin.batch_id,
        labels=origin.labels,
        trace_id=bytes.fromhex(origin.trace_id),
        fencing_token=_write_token(origin.epoch, origin.incarnation),
    )


def _write_token(epoch: int, incarnation: str) -> pb.FencingToken:
    return pb.FencingToken(epoch=epoch, incarnation_id=incarnation)


@lru_cache(maxsize=256)
def _duration(nanoseconds: int) -> Duration:
    seconds, nanos = divmod(nanoseconds, _SECOND)
    return Duration(seconds=seconds, nanos=nanos)
