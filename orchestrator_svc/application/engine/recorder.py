"""Commits what waits, for all batches together, group by group; says so where the store does not take it.

What a caller waits for is never forgotten: one who is told that its outcome is not known yet can ask again, and what it
asked for is recorded when the store is back.
"""

import asyncio
import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from orchestrator_svc.application.engine.grouping import Item, Recording, Waiting
from orchestrator_svc.domain.changes import Changes, merge
from orchestrator_svc.ports.store import Committed, Store
from shared.kernel.clock import Clock
from shared.kernel.errors import ExhaustedError, GreenlightError, UnavailableError

RECORD_TIMES_AFTER = 0.25
MAX_TIMES = 4096
SECOND_LOOK = 0.1
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
MAX_BACKLOG_BYTES = 128 << 20

_log = logging.getLogger(__name__)


class Recorder:
    """`on_lost` is told of batches that are not this owner's any more, `on_unwritable` of those that cannot be written.

    `patience`: in s.

    Set `on_commit` before anything is recorded. `failing`: why the store takes nothing now. `stalled`: whether that
    has been so for longer than callers are kept waiting.
    """

    on_commit: Callable[[Sequence[Changes], Committed], None]
    """Gets what a transaction made durable, in order, when the recordings' own `then` have let go what waits for it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        on_lost: Callable[[str], None],
        on_unwritable: Callable[[str], None],
        max_backlog: int,
        patience: float,
    ) -> None:
        self._store, self._clock, self._on_lost, self._on_unwritable = store, clock, on_lost, on_unwritable
        self._waiting = Waiting()
        self._callers: dict[Recording, None] = {}
        self._requests: set[tuple[str, str]] = set()
        self._wake = asyncio.Event()
        self._turned = asyncio.Event()
        self._changed = asyncio.Event()
        self._times: list[tuple[int, int, int]] = []
        self._max_backlog, self._patience = max_backlog, patience
        self._since: float | None = None
        self._tell_at: float | None = None
        self.failing: GreenlightError | None = None
        self.stalled = False

    def record(self, recording: Recording) -> None:
        """Queues changes behind those of the same batch."""
        self._waiting.add(recording)
        if recording.unknown is not None:
            self._callers[recording] = None
        if recording.changes.command is not None:
            self._requests.add(_request(recording.changes))
        self._wake.set()

    def pending(self, batch_id: str) -> bool:
        """Whether changes of that batch wait or are being committed."""
        return batch_id in self._waiting

    def check_store(self) -> None:
        """Raises what the store is failing with: whoever comes now has changed nothing yet."""
        if self.failing is not None:
            raise self.failing

    def check_capacity(self) -> None:
        """Raises where more would pile up: ExhaustedError, or what the store is failing with."""
        self.check_store()
        if self._waiting.rows > self._max_backlog or self._waiting.bytes > MAX_BACKLOG_BYTES:
            raise ExhaustedError("OVERLOADED", "too much waits to be recorded; try again in a second", retry_after=1.0)

    async def drain(self) -> None:
        """Until nothing waits, or the store takes nothing."""
        while self._waiting and not self.stalled:
            self._turned.clear()
            await self._turned.wait()

    async def recorded(self, batch_id: str) -> None:
        """Until nothing waits of that batch."""
        while self.pending(batch_id):
            self._turned.clear()
            await self._turned.wait()

    async def answered(self, tenant: str, request_id: str) -> None:
        """Until it is known what became of a request that nobody waits for any more.

        Raises UnavailableError (STORE_UNAVAILABLE) where that takes too long to wait for.
        """
        while (tenant, request_id) in self._requests:
            if self.failing is not None:
                raise _not_known(self.failing)
            self._turned.clear()
            await self._turned.wait()

    async def until(self, *, stalled: bool) -> None:
        """Until that is what it is."""
        while self.stalled is not stalled:
            self._changed.clear()
            await self._changed.wait()

    # -- callers are not kept waiting for ever

    def patience_left(self) -> float | None:
        """Seconds until callers are told that it takes too long; None: nobody waits, or everybody was told."""
        if not self._waiting or (self.stalled and not self._callers):
            return None
        now = self._clock.monotonic()
        since = now if self._since is None else self._since
        first_look = since + self._patience - 2 * SECOND_LOOK
        return max(0.0, (first_look if self._tell_at is None else self._tell_at) - now)

    def lose_patience(self) -> None:
        """Where a commit is tried for too long: tells the callers. Their changes stay, and are recorded in the end.

        At the second look only: if it was this process that stood still, the commit's end is already on its way.
        """
        now = self._clock.monotonic()
        if self._since is None or now < self._since + self._patience - 2 * SECOND_LOOK:
            return
        if self._tell_at is None:
            self._tell_at = max(self._since + self._patience, now + SECOND_LOOK)
        if now < self._tell_at:
            return
        if self.failing is None:
            self._fail(UnavailableError("STORE_UNAVAILABLE", "the store does not finish a commit", retry_after=1.0))
        if not self.stalled:
            self._stall(True)
        assert self.failing is not None
        callers, self._callers = self._callers, {}
        for recording in callers:
            assert recording.unknown is not None
            recording.unknown(_not_known(self.failing))

    def _fail(self, error: GreenlightError) -> None:
        _log.error("the store does not take commits, trying on: %s", error)
        self.failing = error
        self._turned.set()

    def _recover(self) -> None:
        if self.failing is not None:
            _log.info("the store takes commits again")
            self.failing = None
        if self.stalled:
            self._stall(False)

    def _stall(self, stalled: bool) -> None:
        self.stalled = stalled
        self._changed.set()
        self._turned.set()

    # -- its own life

    async def run(self) -> None:
        while True:
            await self._wait()
            group = self._waiting.take()
            if group:
                self._finish(group, await self._commit([changes for changes, _ in group]))
            if not group or len(self._times) >= MAX_TIMES:
                await self._commit_times()

    async def _wait(self) -> None:
        if self._wake.is_set():
            self._wake.clear()
            return
        try:
            async with asyncio.timeout(RECORD_TIMES_AFTER if self._times else None):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _commit(self, group: list[Changes]) -> Committed:
        """One transaction. Where something in it cannot be written, one a batch: that one alone is lost."""
        changes = [change for change in group if change.writes]
        try:
            return await self._try_on(changes)
        except Exception as error:
            if len({change.batch.id for change in changes}) > 1:
                _log.warning("a group of changes cannot be written, its batches are written one by one: %r", error)
                return await self._one_by_one(changes)
            _log.exception("batch %s cannot be written and is dropped", changes[0].batch.id)
            return Committed(unwritable={changes[0].batch.id})

    async def _one_by_one(self, changes: list[Changes]) -> Committed:
        by_batch: dict[str, list[Changes]] = {}
        for change in changes:
            by_batch.setdefault(change.batch.id, []).append(change)
        committed = Committed()
        for own in by_batch.values():
            alone = await self._commit(own)
            committed.lost |= alone.lost
            committed.unwritable |= alone.unwritable
            committed.frames |= alone.frames
            committed.created |= alone.created
        return committed

    async def _try_on(self, changes: list[Changes]) -> Committed:
        """Waits out a store that is not there: what runs goes on, nothing acknowledged is lost."""
        if not changes:
            return Committed()
        writes, pause = merge(changes), FIRST_PAUSE
        with self._trying():
            while True:
                try:
                    return await self._store.commit(writes)
                except UnavailableError as error:
                    if self.failing is None:
                        self._fail(error)
                    self.failing = error
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)

    @contextmanager
    def _trying(self) -> Generator[None]:
        """The patience of those who wait is counted from here."""
        self._since = self._clock.monotonic()
        try:
            yield
        finally:
            self._since = self._tell_at = None

    def _finish(self, group: list[Item], committed: Committed) -> None:
        self._recover()  # whatever it could not write: it has answered
        now = self._clock.monotonic()
        kept: list[Changes] = []
        gone = committed.lost | committed.unwritable
        for changes, _ in group:
            batch = changes.batch
            if batch.id in gone:
                continue
            kept.append(changes)
            if changes.created and batch.id in committed.created:
                batch.number, batch.session_no = committed.created[batch.id]
            if changes.events and batch.number:
                elapsed = int((now - changes.received) * 1e9)
                self._times.append((batch.number, changes.events[-1].sequence, elapsed))
        self._waiting.done([item for item in group if item[0].batch.id not in gone])
        for changes, recording in group:
            if recording is not None and changes.batch.id not in gone:
                self._settled(recording)
                if recording.then is not None:
                    recording.then()
        if kept:
            self.on_commit(kept, committed)
        for batch_id in gone:
            self._drop(batch_id, [item for item in group if item[0].batch.id == batch_id])
            (self._on_lost if batch_id in committed.lost else self._on_unwritable)(batch_id)
        self._turned.set()
        if self._waiting:
            self._wake.set()

    def _settled(self, recording: Recording) -> None:
        if recording.unknown is not None:
            self._callers.pop(recording, None)
        if recording.changes.command is not None:
            self._requests.discard(_request(recording.changes))

    def _drop(self, batch_id: str, of_group: list[Item]) -> None:
        """The batch is not ours (any more), or cannot be written: neither is what still waits of it."""
        error = UnavailableError("BATCH_LOST", "the batch could not be recorded here; try again", retry_after=1.0)
        rest = self._waiting.drop(batch_id)
        self._waiting.done(of_group)
        for _, recording in [*of_group, *rest]:
            if recording is not None:
                self._settled(recording)
                if recording.lost is not None:
                    recording.lost(error)

    async def _commit_times(self) -> None:
        """How long recording took is itself recorded, when nothing else has come for a while, or very much has."""
        times, self._times = self._times, []
        if not times:
            return
        try:
            with self._trying():
                await self._store.commit_record_times(times)
        except UnavailableError as error:
            _log.warning("record times are lost: %s", error)
        self._recover()  # whether it takes commits shows at the next one


def _request(changes: Changes) -> tuple[str, str]:
    assert changes.command is not None
    return changes.batch.tenant, changes.command.request_id


def _not_known(cause: GreenlightError) -> UnavailableError:
    return UnavailableError(
        cause.reason,
        f"whether this is recorded is not known yet: ask again with the same request_id. {cause.message}",
        retry_after=cause.retry_after or 1.0,
    )
