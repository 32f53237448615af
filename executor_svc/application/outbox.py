"""What waits to go out on one stream. Filled by whatever happens, emptied by the stream's writer, frame by frame."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from executor_svc.domain.call import Call
from executor_svc.domain.outcome import Outcome

MAX_ENTRIES = 64
MAX_BYTES = 1 << 20
_ENTRY_BYTES = 256


class AttachState(Enum):
    """What became of a call that was asked for."""

    RUNNING = "running"
    ENDED = "ended"
    NEVER_SEEN = "never_seen"
    CANNOT_SAY = "cannot_say"


@dataclass(slots=True)
class AttachEntry:
    call_id: str
    state: AttachState


@dataclass(slots=True)
class ChunkEntry:
    call_id: str
    index: int
    text: bytes


@dataclass(slots=True)
class ProgressEntry:
    call_id: str
    fraction: float | None
    message: str


@dataclass(slots=True)
class AcceptedEntry:
    call_id: str
    start_ns: int
    position: int = 0


@dataclass(slots=True)
class ProbeEntry:
    """`result`: what was found, JSON text; empty: nothing. `problem`: why that cannot be said (then neither counts)."""

    call_id: str
    result: bytes | None = None
    problem: str = ""
    still_running: bool = False
    over: bool = False


@dataclass(slots=True)
class ReminderEntry:
    tenant: str
    outcome: Outcome


class Startable(Protocol):
    """A run, as far as an outbox looks at it."""

    call: Call
    start_ns: int
    settled: bool
    position: int


Entry = Outcome | AttachEntry | ChunkEntry | ProgressEntry | ProbeEntry | ReminderEntry
_nothing: tuple[AcceptedEntry, ...] = ()


@dataclass(slots=True)
class Parcel:
    """One message: `accepted` first, then `entries` in the order in which they came about."""

    accepted: Sequence[AcceptedEntry]
    entries: list[Entry]
    grant: bool
    tools: bool
    draining: bool
    stuck: bool


@dataclass(slots=True)
class Outbox:
    """`entries` keep their order; only the newest progress of a call waits; the flags say what has changed.

    `chunk_bytes` wait in it: outcomes are limited elsewhere, chunks by whoever admits calls.
    """

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    entries: deque[Entry] = field(default_factory=deque[Entry])
    progress: dict[str, ProgressEntry] = field(default_factory=dict[str, ProgressEntry])
    fresh: list[Startable] = field(default_factory=list[Startable])
    grant: bool = False
    tools: bool = False
    draining: bool = False
    stuck: bool = False
    chunk_bytes: int = 0

    def put(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.wake.set()

    def put_chunk(self, entry: ChunkEntry) -> None:
        self.chunk_bytes += len(entry.text)
        self.put(entry)

    def put_progress(self, entry: ProgressEntry) -> None:
        self.progress[entry.call_id] = entry
        self.wake.set()

    @property
    def is_empty(self) -> bool:
        return not (self.entries or self.progress or self.grant or self.tools or self.draining or self.stuck)

    def take(self) -> Parcel | None:
        """Fills a parcel: at most 64 entries or about 1 MiB; one entry may be larger. None: nothing waits."""
        accepted = self._take_accepted() if self.fresh else _nothing
        if self.is_empty and not accepted:
            return None
        entries: list[Entry] = []
        if self.progress:
            self._take_progress(entries)
        self._take_entries(entries)
        parcel = Parcel(accepted, entries, self.grant, self.tools, self.draining, self.stuck)
        self.grant = self.tools = self.draining = self.stuck = False
        return parcel

    def _take_accepted(self) -> Sequence[AcceptedEntry]:
        # Those that ended meanwhile need none: their outcome says when they started.
        running = [run for run in self.fresh if not run.settled]
        self.fresh = [run for run in running if not run.start_ns]
        return [AcceptedEntry(run.call.id, run.start_ns, run.position) for run in running if run.start_ns]

    def _take_progress(self, entries: list[Entry]) -> None:
        while self.progress and len(entries) < MAX_ENTRIES:
            entries.append(self.progress.pop(next(iter(self.progress))))

    def _take_entries(self, entries: list[Entry]) -> None:
        waiting = self.entries
        size = 0
        while waiting and len(entries) < MAX_ENTRIES:
            size += _size(waiting[0])
            if size > MAX_BYTES and entries:
                break
            entry = waiting.popleft()
            if isinstance(entry, ChunkEntry):
                self.chunk_bytes -= len(entry.text)
            entries.append(entry)


def _size(entry: Entry) -> int:
    if isinstance(entry, ReminderEntry):
        return _size(entry.outcome)
    if isinstance(entry, Outcome):
        if entry.result is not None:
            return _ENTRY_BYTES + len(entry.result)
        return _ENTRY_BYTES + (4 * len(entry.failure.message) if entry.failure else 0)
    if isinstance(entry, ChunkEntry):
        return _ENTRY_BYTES + len(entry.text)
    if isinstance(entry, ProbeEntry):
        return _ENTRY_BYTES + len(entry.result or b"") + 4 * len(entry.problem)
    return _ENTRY_BYTES + (4 * len(entry.message) if isinstance(entry, ProgressEntry) else 0)
