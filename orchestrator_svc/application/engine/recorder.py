"""Commits what waits, for all batches together: bounded groups, round robin over batches, people's changes first."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator_svc.domain.changes import Changes, merge
from orchestrator_svc.ports.store import Committed, Store
from shared.kernel.clock import Clock
from shared.kernel.errors import ExhaustedError, GreenlightError, UnavailableError

GROUP_ROWS = 512
ALONE_ROWS = 256
GROUP_BYTES = 1 << 20
TURN_ROWS = 64
RECORD_TIMES_AFTER = 0.05

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Recording:
    """Changes on their way to the store. Exactly one of `then` and `lost` is called, on the loop, in order."""

    changes: Changes
    then: Callable[[], None] | None = None
    lost: Callable[[GreenlightError], None] | None = None


class Recorder:
    """`on_lost` is told of batches that are not this owner's any more. Set `on_commit` before anything is recorded."""

    on_commit: Callable[[Sequence[Changes], Committed], None]
    """Gets what a transaction made durable, in order, before the recordings' own `then`."""

    def __init__(self, store: Store, clock: Clock, on_lost: Callable[[str], None], max_backlog: int) -> None:
        self._store, self._clock, self._on_lost = store, clock, on_lost
        self._queues: dict[str, deque[tuple[Changes, Recording | None]]] = {}
        self._urgent: deque[str] = deque()
        self._ring: deque[str] = deque()
        self._scheduled: set[str] = set()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._turned = asyncio.Event()
        self._times: list[tuple[int, int, int]] = []
        self._max_backlog = max_backlog
        self.backlog = 0
        self.failing: GreenlightError | None = None

    def record(self, recording: Recording) -> None:
        """Queues changes behind those of the same batch."""
        changes = recording.changes
        batch_id = changes.batch.id
        queue = self._queues.setdefault(batch_id, deque())
        if changes.urgent or batch_id not in self._scheduled:
            self._scheduled.add(batch_id)
            (self._urgent if changes.urgent else self._ring).append(batch_id)
        parts = changes.parts()
        for part in parts[:-1]:
            queue.append((part, None))
        queue.append((parts[-1], recording))
        self.backlog += sum(part.rows for part in parts)
        self._idle.clear()
        self._wake.set()

    def pending(self, batch_id: str) -> bool:
        """Whether changes of that batch wait or are being committed."""
        return batch_id in self._queues

    def check_capacity(self) -> None:
        """Raises where more would pile up: ExhaustedError, or what the store is failing with."""
        if self.failing is not None:
            raise self.failing
        if self.backlog > self._max_backlog:
            raise ExhaustedError("OVERLOADED", "too much waits to be recorded; try again in a second", retry_after=1.0)

    async def drain(self) -> None:
        """Until nothing waits."""
        await self._idle.wait()

    async def recorded(self, batch_id: str) -> None:
        """Until nothing waits of that batch."""
        while self.pending(batch_id):
            self._turned.clear()
            await self._turned.wait()

    async def run(self) -> None:
        while True:
            await self._wait()
            group = self._take()
            if not group:
                await self._commit_times()
                continue
            committed = await self._commit([changes for changes, _ in group])
            self._finish(group, committed)

    async def _wait(self) -> None:
        if not self._queues:
            self._idle.set()
        if self._wake.is_set():
            self._wake.clear()
            return
        try:
            async with asyncio.timeout(RECORD_TIMES_AFTER if self._times else None):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _take(self) -> list[tuple[Changes, Recording | None]]:
        """The next group: a turn of each batch that waits, or several of one that waits alone.

        A batch keeps its place in `_queues` until its part of the group is committed.
        """
        group: list[tuple[Changes, Recording | None]] = []
        rows = size = 0
        served: set[str] = set()
        most = GROUP_ROWS if len(self._queues) > 1 else ALONE_ROWS
        while (self._urgent or self._ring) and rows < most and size < GROUP_BYTES:
            batch_id = self._urgent.popleft() if self._urgent else self._ring.popleft()
            if batch_id in served and len(served) > 1:
                self._ring.appendleft(batch_id)
                break
            served.add(batch_id)
            self._scheduled.discard(batch_id)
            queue = self._queues.get(batch_id)
            turn = 0
            while queue and turn < TURN_ROWS and size < GROUP_BYTES:
                group.append(item := queue.popleft())
                turn += item[0].rows
                size += item[0].bytes
            rows += turn
            if queue and batch_id not in self._scheduled:
                self._scheduled.add(batch_id)
                self._ring.append(batch_id)
        return group

    async def _commit(self, group: list[Changes]) -> Committed:
        """Waits out a store that is not there: what runs goes on, nothing acknowledged is lost."""
        writes = merge(changes for changes in group if changes.events or changes.records or changes.command)
        if not writes:
            return Committed()
        pause = 0.1
        while True:
            try:
                committed = await self._store.commit(writes)
            except UnavailableError as error:
                if self.failing is None:
                    _log.error("the store does not take commits, trying on: %s", error)
                self.failing = error
                await asyncio.sleep(pause)
                pause = min(2 * pause, 2.0)
            else:
                if self.failing is not None:
                    _log.info("the store takes commits again")
                self.failing = None
                return committed

    def _finish(self, group: list[tuple[Changes, Recording | None]], committed: Committed) -> None:
        now = self._clock.monotonic()
        kept: list[Changes] = []
        for changes, _ in group:
            batch = changes.batch
            self.backlog -= changes.rows
            if batch.id in committed.lost:
                continue
            kept.append(changes)
            if changes.created and batch.id in committed.created:
                batch.number, batch.session_no = committed.created[batch.id]
            if changes.events and batch.number:
                elapsed = int((now - changes.received) * 1e9)
                self._times.append((batch.number, changes.events[-1].sequence, elapsed))
        for batch_id in {changes.batch.id for changes, _ in group}:
            if batch_id not in committed.lost and not self._queues.get(batch_id):
                self._queues.pop(batch_id, None)
        if kept:
            self.on_commit(kept, committed)
        for changes, recording in group:
            if recording is not None and recording.then is not None and changes.batch.id not in committed.lost:
                recording.then()
        for batch_id in committed.lost:
            self._drop(batch_id, group)
        self._turned.set()
        if self._queues:
            self._wake.set()

    def _drop(self, batch_id: str, group: list[tuple[Changes, Recording | None]]) -> None:
        """The batch is not ours (any more): neither is what still waits of it."""
        error = UnavailableError("BATCH_LOST", "the batch could not be recorded here; try again", retry_after=1.0)
        rest = self._queues.pop(batch_id, ())
        self.backlog -= sum(changes.rows for changes, _ in rest)
        for changes, recording in [*group, *rest]:
            if changes.batch.id == batch_id and recording is not None and recording.lost is not None:
                recording.lost(error)
        self._on_lost(batch_id)

    async def _commit_times(self) -> None:
        """How long recording took is itself recorded, when there is nothing better to do."""
        times, self._times = self._times, []
        if not times:
            return
        try:
            await self._store.commit_record_times(times)
        except UnavailableError as error:
            _log.warning("record times are lost: %s", error)
