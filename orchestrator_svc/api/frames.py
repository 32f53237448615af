"""Streaming responses as bytes. Stored events go out as they are: field 1 of every response is the EventFrame."""

from greenlight.orchestrator.v1 import batch_pb2, event_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.application.watch import Frames

# Tags of EventFrame's `sequence`, `session_token` and `summary`, and of a response's `frame`. A field that stands twice
# counts as it stands last, so what is appended to a stored frame overrules what is in it.
_SEQUENCE, _TOKEN, _SUMMARY, _FRAME = b"\x10", b"\x1a", b"\x22", b"\x0a"
_NO_SEQUENCE = _SEQUENCE + b"\x00"


def batch_frame(frames: Frames) -> bytes:
    """Of one batch; without events a heartbeat."""
    return _response(frames.payload or _SEQUENCE + _varint(frames.sequence))


def session_frame(frames: Frames) -> bytes:
    """Of several batches: no sequence, but where the stream stands (where it can be gone on with)."""
    token = frames.token.encode()
    cursor = _TOKEN + _varint(len(token)) + token if token else b""
    return _response(frames.payload + _NO_SEQUENCE + cursor)


def last_frame(summary: batch_pb2.Summary, sequence: int = 0, token: str = "") -> bytes:
    """A message is copied when it is put into another, and this one may be long: their bytes are joined."""
    cursor = event_pb2.EventFrame(sequence=sequence, session_token=token).SerializeToString()
    body = summary.SerializeToString()
    return _response(b"".join((cursor, _SUMMARY, _varint(len(body)), body)))


def confirmation(message: pb.SoftConfirmation) -> bytes:
    """The first message of a SoftConfirm, or one of its first."""
    return pb.SoftConfirmResponse(confirmation=message).SerializeToString()


def _response(frame: bytes) -> bytes:
    return b"".join((_FRAME, _varint(len(frame)), frame))


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
