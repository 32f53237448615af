"""A page of events, cut out of stored frames."""

from collections.abc import Sequence

from greenlight.orchestrator.v1 import event_pb2 as pb
from orchestrator_svc.api.mapping.cutting import ROOM, wire_size
from orchestrator_svc.ports.codec import StoredFrame


def events_page(frames: Sequence[StoredFrame], after: int, limit: int) -> pb.EventFrame:
    """At most `limit` events after a sequence, and 3 MiB (one event may exceed that)."""
    found = pb.EventFrame.FromString(b"".join(frame.payload for frame in frames))
    page, taken = list[pb.Event](), 0
    for event in found.events:
        if event.sequence <= after:
            continue
        taken += wire_size(event.ByteSize())
        if len(page) == limit or (page and taken > ROOM):
            break
        page.append(event)
    return pb.EventFrame(events=page, sequence=page[-1].sequence if page else after)
