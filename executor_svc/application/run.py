"""One call while it runs: its task, its time, and what its tool says meanwhile."""

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import Any

from executor_svc.application.lock_wait import LockWait
from executor_svc.application.outbox import ChunkEntry
from executor_svc.application.pulse import Pulse
from executor_svc.application.registry import Hosted
from executor_svc.application.standstill import Standstill
from executor_svc.application.streams import Stream
from executor_svc.domain.call import Call
from executor_svc.domain.outcome import Failure, FailureClass, KnownEffect, ToolFailure
from executor_svc.domain.text import clean
from shared.kernel.clock import Clock

MAX_CHUNKS = 10_000
_PROGRESS_MESSAGE = 1000
_chunk_lock = threading.Lock()
_jobs_lock = threading.Lock()
_start_lock = threading.Lock()


class Stop(Enum):
    """Why a call is asked to stop."""

    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    HELD_LOOP = "held_loop"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Means:
    """What all runs use. `tell` (from any thread) that chunks wait, `quiet` that the last job has ended.

    `block_limit`: how long a step may take, in s.
    """

    clock: Clock
    pulse: Pulse
    tell: Callable[["Run"], None]
    quiet: Callable[["Run"], None]
    block_limit: float
    standstill: Standstill
    lock_wait: LockWait


class Run:
    """Implements `RunningCall`. Written on the loop, but for what a tool may call from any thread.

    `sinks` are the streams that get the outcome (one twice, if asked twice), `holder` the one whose slot it takes.
    `accepting`: that it was accepted is being written down, it has not begun. `barred`: if it has not started it will
    not. `settled`: its outcome is known, `over`: it has really ended. `thread`: where its tool began. `position`: where
    the journal stood when it was accepted, 0: it is not journalled. `jobs`: how many its tool gave to threads that have
    not ended. `lingers`: its tool has ended, with `failure`; they have not.
    """

    __slots__ = (
        "accepting",
        "barred",
        "call",
        "chunk_count",
        "chunk_size",
        "chunks",
        "deadline",
        "entered",
        "failure",
        "holder",
        "holds_loop",
        "hosted",
        "jobs",
        "latest",
        "lingers",
        "means",
        "over",
        "overflow",
        "position",
        "progress_due",
        "received",
        "settled",
        "sign",
        "sinks",
        "start",
        "start_ns",
        "stop",
        "stop_by",
        "task",
        "telling",
        "thread",
        "timeout",
        "tool",
    )

    def __init__(self, call: Call, hosted: Hosted, received: float, means: Means) -> None:
        self.means = means
        self.call = call
        self.hosted = hosted
        self.received = received
        self.tool = tool = hosted.tool
        self.timeout = tool.spec.timeout if call.timeout is None else call.timeout
        self.sign = received - means.pulse.stalled
        self.deadline = self.sign + self.timeout
        self.sinks: list[Stream] = []
        self.holder: Stream | None = None
        self.task: asyncio.Task[None] | None = None
        self.accepting = False
        self.barred = False
        self.entered = False
        self.settled = False
        self.over = False
        self.jobs = 0
        self.lingers = False
        self.failure: Failure | None = None
        self.position = 0
        self.holds_loop = False
        self.start = 0.0
        self.start_ns = 0
        self.thread = 0
        self.stop: Stop | None = None
        self.stop_by = math.inf
        self.latest: tuple[float | None, str] | None = None
        self.progress_due = 0.0
        self.chunks: deque[bytes] | None = None
        self.chunk_count = 0
        self.chunk_size = 0
        self.overflow = False
        self.telling = False

    @property
    def cancelled(self) -> bool:
        return self.stop is not None

    def started(self) -> None:
        means = self.means
        with _start_lock:
            if self.barred:
                raise asyncio.CancelledError
            self.start = start = means.clock.monotonic()
            self.start_ns = means.clock.time_ns()
            self.thread = threading.get_ident()
        self.sign = sign = start - means.pulse.stalled
        self.deadline = sign + self.timeout

    def bar(self) -> None:
        """From here on it does not start: what is to be said of it holds."""
        with _start_lock:
            self.barred = True

    def progress(self, fraction: float | None, message: str) -> None:
        if fraction is not None:
            fraction = None if math.isnan(fraction) else min(1.0, max(0.0, float(fraction)))
        self.sign = self.means.pulse.lived()
        # One store: the tick fetches the newest, so that a flood costs nobody anything.
        self.latest = fraction, clean(str(message), _PROGRESS_MESSAGE)

    def chunk(self, text: bytes) -> None:
        limit = self.tool.spec.result_limit
        with _chunk_lock:
            if self.settled:
                return
            if self.chunk_size + len(text) > limit or self.chunk_count >= MAX_CHUNKS:
                self.overflow = True
                raise ToolFailure(too_many_chunks(limit))
            if self.chunks is None:
                self.chunks = deque()
            self.chunks.append(text)
            self.chunk_count += 1
            self.chunk_size += len(text)
        self.sign = self.means.pulse.lived()
        if not self.telling:
            self.telling = True
            self.means.tell(self)

    def job_began(self) -> None:
        with _jobs_lock:
            self.jobs += 1

    def job_ended(self) -> None:
        """On its thread."""
        with _jobs_lock:
            self.jobs -= 1
            last = self.lingers and not self.jobs
        if last:
            self.means.quiet(self)

    def linger(self, failure: Failure | None) -> bool:
        """Its tool has ended. Whether its jobs have not: then `quiet` is told when the last has."""
        self.failure = failure
        with _jobs_lock:
            self.lingers = self.jobs > 0
        return self.lingers

    def take_chunks(self, make: Callable[[str, int, bytes], ChunkEntry]) -> list[ChunkEntry]:
        """The chunks that have not gone out, numbered. On the loop only."""
        self.telling = False
        if not self.chunks:
            return []
        with _chunk_lock:
            waiting = list(self.chunks)
            self.chunks.clear()
            first = self.chunk_count - len(waiting)
        return [make(self.call.id, first + index, text) for index, text in enumerate(waiting)]


CURRENT_RUN: ContextVar[Any] = ContextVar("CURRENT_RUN", default=None)


def too_many_chunks(limit: int) -> Failure:
    """Of a call whose chunks are more than it may give; it had not come to its end."""
    message = f"its chunks are more than {limit} bytes or {MAX_CHUNKS} in number"
    return Failure(FailureClass.PERMANENT, KnownEffect.POSSIBLE, "RESULT_TOO_LARGE", message)
