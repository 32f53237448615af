"""Events as `EventFrame` messages: what the store keeps is, byte for byte, what a watcher gets.

`repeated` fields concatenate and the last `sequence` wins, so frames of one batch may be joined as they are.
"""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from greenlight.orchestrator.v1 import event_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from orchestrator_svc.adapters.codec.details import WRITERS
from orchestrator_svc.adapters.codec.values import SECOND
from orchestrator_svc.domain.events import Event
from orchestrator_svc.ports.codec import FRAME_BYTES, FRAME_ENTRIES, StoredFrame

# Of a frame's fields other than its events: tag and largest number.
_SEQUENCE_BYTES = 11


class ProtobufEventCodec:
    """Implements `EventCodec`. Keeps no state, so any thread may use it."""

    def encode(self, batch_id: str, events: Sequence[Event]) -> list[StoredFrame]:
        if len(events) <= FRAME_ENTRIES:
            return _frames(batch_id, events)
        frames: list[StoredFrame] = []
        for start in range(0, len(events), FRAME_ENTRIES):
            frames += _frames(batch_id, events[start : start + FRAME_ENTRIES])
        return frames

    def trim(self, payload: bytes, after: int) -> bytes:
        frame = pb.EventFrame.FromString(payload)
        keep = 0
        while keep < len(frame.events) and frame.events[keep].sequence <= after:
            keep += 1
        del frame.events[:keep]
        return frame.SerializeToString()


def _frames(batch_id: str, events: Sequence[Event]) -> list[StoredFrame]:
    """One frame, or several if it would be too large."""
    if not events:
        return []
    frame = pb.EventFrame(sequence=events[-1].sequence)
    _fill(frame, batch_id, events)
    payload = frame.SerializeToString()
    if len(payload) <= FRAME_BYTES or len(events) == 1:
        return [StoredFrame(events[0].sequence, events[-1].sequence, payload)]
    return _cut(frame)


def _fill(frame: pb.EventFrame, batch_id: str, events: Sequence[Event]) -> None:
    add = frame.events.add
    stamp, stamped = Timestamp(), -1
    for sequence, time, key, agent, attempt, state, detail in events:
        event = add()
        event.batch_id = batch_id
        event.sequence = sequence
        if time != stamped:
            stamp.seconds, stamp.nanos = divmod(time, SECOND)
            stamped = time
        event.time.CopyFrom(stamp)
        if state is not None:
            event.key = key
            event.agent = agent
            event.attempt = attempt
            event.state = proposal_pb2.ProposalState.ValueType(state)
        WRITERS[type(detail)](event, detail)


def _cut(frame: pb.EventFrame) -> list[StoredFrame]:
    """As many events a frame as fit; one that is larger by itself stands alone."""
    frames: list[StoredFrame] = []
    part, size = list[pb.Event](), _SEQUENCE_BYTES
    for event in frame.events:
        length = event.ByteSize()
        cost = length + 1 + (length.bit_length() + 6) // 7
        if part and size + cost > FRAME_BYTES:
            frames.append(_stored(part))
            part, size = list[pb.Event](), _SEQUENCE_BYTES
        part.append(event)
        size += cost
    frames.append(_stored(part))
    return frames


def _stored(events: list[pb.Event]) -> StoredFrame:
    last = events[-1].sequence
    return StoredFrame(events[0].sequence, last, pb.EventFrame(events=events, sequence=last).SerializeToString())
