"""Events as stored and streamed: encoded once, and the stored bytes are the wire bytes."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from orchestrator_svc.domain.events import Event

FRAME_ENTRIES = 64
FRAME_BYTES = 1 << 20


class StoredFrame(NamedTuple):
    """Events `first` to `last` of one batch, encoded. Frames of one batch may be concatenated in order."""

    first: int
    last: int
    payload: bytes


class EventCodec(Protocol):
    """Thread-safe: the store encodes in its writer thread."""

    def encode(self, batch_id: str, events: Sequence[Event]) -> list[StoredFrame]:
        """Cuts at 64 entries or 1 MiB; one entry may exceed that. Contiguous, in order."""
        ...

    def trim(self, payload: bytes, after: int) -> bytes:
        """The same frame without the events up to `after`."""
        ...
