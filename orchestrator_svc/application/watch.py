"""Watching: events after a cursor, stored ones first, without a gap or a repeat. A watcher holds no queue."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeVar

from orchestrator_svc.application.compacted import check_kept, check_session_kept
from orchestrator_svc.application.engine.draining import draining
from orchestrator_svc.application.engine.elsewhere import unknown_batch
from orchestrator_svc.application.sessions import unknown_session
from orchestrator_svc.application.tokens import SessionCursor
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.codec import FRAME_BYTES, EventCodec, StoredFrame
from orchestrator_svc.ports.feed import Feed, Subscription
from orchestrator_svc.ports.store import BatchHead, Store
from orchestrator_svc.ports.views import BatchView
from shared.kernel.clock import Clock
from shared.kernel.errors import FieldViolation, OutOfRangeError

M = TypeVar("M")
# What is joined into one message at most: a reader that stands still holds two or three of them.
JOINED_BYTES = 1 << 18


class Until(IntEnum):
    """When a stream ends by itself."""

    NEVER = 0
    FINISHED = 1
    BLOCKED = 2

    def reached(self, state: BatchState) -> bool:
        if self is Until.NEVER:
            return False
        idle = state in (BatchState.BLOCKED, BatchState.IDLE)
        return state.finished or (self is Until.BLOCKED and idle)


@dataclass(frozen=True, slots=True)
class Frames:
    """Encoded events up to `sequence` (of a session: `token`). `payload` empty: a heartbeat."""

    payload: bytes
    sequence: int = 0
    token: str = ""


@dataclass(slots=True)
class Ended:
    """The stream ends by itself, unless who makes its Summary finds that there is `more`: then it goes on.

    `batch_ids`: what the Summary is of (none: the session). `over`: `max_wait` ends it, whatever the Summary says.
    `at`: batch id -> the last sequence, where the stream knows it.
    """

    batch_ids: list[str]
    until: Until
    over: bool
    at: Mapping[str, int] = field(default_factory=dict[str, int])
    more: bool = False

    def reached(self, batches: Sequence[BatchView]) -> bool:
        """Whether these are where it was to end; one that has gone on since is not."""
        here = all(self.at.get(batch.id, batch.head) == batch.head for batch in batches)
        return here and bool(self.until) and all(self.until.reached(batch.state) for batch in batches)


Item = Frames | Ended


class Deadline:
    """The time left of `max_wait` (s, None: no end)."""

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock.monotonic() + seconds

    def left(self, most: float) -> float:
        """Not more than `most`."""
        return most if self._end is None else max(0.0, min(most, self._end - self._clock.monotonic()))

    @property
    def over(self) -> bool:
        return self._end is not None and self._clock.monotonic() >= self._end


def _leave(feed: Feed) -> None:
    """Raises UnavailableError (DRAINING) where the service lets its watchers go."""
    if feed.closed:
        raise draining(feed.retry_after)


class Watch:
    """`heartbeat`: seconds between frames at the most."""

    def __init__(self, store: Store, feed: Feed, codec: EventCodec, clock: Clock, heartbeat: float) -> None:
        self._store, self._feed, self._codec, self._clock = store, feed, codec, clock
        self._heartbeat = heartbeat

    def check_open(self) -> None:
        """Before a stream begins. Raises UnavailableError (DRAINING)."""
        _leave(self._feed)

    async def batch(
        self, tenant: str, batch_id: str, after: int, until: Until, max_wait: float | None
    ) -> AsyncIterator[Item]:
        """Raises NotFoundError (BATCH_UNKNOWN), OutOfRangeError (SEQUENCE_IN_FUTURE, EVENTS_COMPACTED)."""
        with self._feed.watch_batch(tenant, batch_id) as subscription:
            _check_cursor(batch_id, after, await self._look(subscription, tenant, batch_id))
            async for item in self.follow(subscription, tenant, batch_id, after, until, max_wait):
                yield item

    def subscribe(self, tenant: str, batch_id: str) -> AbstractContextManager[Subscription]:
        """Before a submission, for `follow` after it."""
        return self._feed.watch_batch(tenant, batch_id)

    async def follow(
        self,
        subscription: Subscription,
        tenant: str,
        batch_id: str,
        after: int,
        until: Until,
        max_wait: float | None,
    ) -> AsyncIterator[Item]:
        """Goes on after a sequence, for a subscriber from before the batch's look-up (or its submission)."""
        deadline, cursor = Deadline(self._clock, max_wait), after
        while True:
            frames, head, state = await self._next(subscription, tenant, batch_id, cursor)
            if frames:
                payload, cursor = self._join(frames, cursor)
                yield Frames(payload, cursor)
            if cursor < head:
                continue
            if until.reached(state) or deadline.over:
                ended = Ended([batch_id], until, deadline.over, {batch_id: cursor})
                yield ended
                if not ended.more:
                    return
            _leave(self._feed)
            if not await subscription.wait(deadline.left(self._heartbeat)) and not deadline.over:
                yield Frames(b"", cursor)

    async def wait(
        self, tenant: str, batch_id: str, until: Until, max_wait: float, make: Callable[[Ended], Awaitable[M | None]]
    ) -> M:
        """The same end, without the events: what is made of it. None: there is more to come.

        Raises NotFoundError (BATCH_UNKNOWN).
        """
        deadline = Deadline(self._clock, max_wait)
        with self._feed.watch_batch(tenant, batch_id) as subscription:
            while True:
                reached = until.reached((await self._look(subscription, tenant, batch_id)).state)
                if reached or deadline.over:
                    made = await make(Ended([batch_id], until, deadline.over))
                    if made is not None:
                        return made
                _leave(self._feed)
                await subscription.wait(deadline.left(self._heartbeat))

    async def _next(
        self, subscription: Subscription, tenant: str, batch_id: str, cursor: int
    ) -> tuple[list[StoredFrame], int, BatchState]:
        tail = subscription.tail(cursor)
        if tail is not None:
            return list(tail.frames), tail.head, tail.state
        head = await self._look(subscription, tenant, batch_id)
        return await self._read(tenant, batch_id, head, cursor), head.head, head.state

    async def _read(
        self, tenant: str, batch_id: str, head: BatchHead, after: int, limit_bytes: int = JOINED_BYTES
    ) -> list[StoredFrame]:
        """Some frames after a sequence, without a gap. Raises OutOfRangeError (EVENTS_COMPACTED)."""
        if after >= head.head:
            return []
        check_kept(batch_id, after, head)
        frames = await self._store.read_frames(head.number, after, limit_bytes)
        if not frames or frames[0].first > after + 1:  # gone since the head was read
            check_kept(batch_id, after, await self._head(tenant, batch_id))
        return frames

    def _join(self, frames: list[StoredFrame], cursor: int) -> tuple[bytes, int]:
        """Frames of one batch concatenate; only one with the cursor inside is opened."""
        payloads: list[bytes] = []
        size = 0
        for frame in frames:
            payload = self._codec.trim(frame.payload, cursor) if frame.first <= cursor else frame.payload
            if payloads and size + len(payload) > JOINED_BYTES:
                break
            payloads.append(payload)
            size += len(payload)
            cursor = frame.last
        return b"".join(payloads), cursor

    async def _look(self, subscription: Subscription, tenant: str, batch_id: str) -> BatchHead:
        head = await self._head(tenant, batch_id)
        subscription.found(head.head)
        return head

    async def _head(self, tenant: str, batch_id: str) -> BatchHead:
        head = await self._store.batch_head(tenant, batch_id)
        if head is None:
            raise unknown_batch(batch_id)
        return head

    async def events(self, tenant: str, batch_id: str, after: int) -> tuple[list[StoredFrame], BatchHead]:
        """About 1 MiB of stored frames after a sequence. Raises as `batch`."""
        head = await self._head(tenant, batch_id)
        _check_cursor(batch_id, after, head)
        return await self._read(tenant, batch_id, head, after, FRAME_BYTES), head

    async def session(
        self, tenant: str, session_id: str, cursor: SessionCursor, until: Until, max_wait: float | None
    ) -> AsyncIterator[Item]:
        """All batches of a session, those to come included.

        Raises NotFoundError (SESSION_UNKNOWN), OutOfRangeError (EVENTS_COMPACTED).
        """
        deadline = Deadline(self._clock, max_wait)
        with self._feed.watch_session(tenant, session_id) as subscription:
            if await self._store.get_session(tenant, session_id) is None:
                raise unknown_session(session_id)
            while True:
                moved, states = False, dict[str, BatchState]()
                heads = await self._store.session_heads(tenant, session_id, cursor.highest, list(cursor.open))
                check_session_kept(heads, cursor)
                for batch_id, head in heads:
                    states[batch_id] = head.state
                    try:
                        async for item in self._catch_up(tenant, batch_id, head, cursor):
                            moved = True
                            yield item
                    except OutOfRangeError:  # gone since its head was read: the heads of now say where to go on
                        moved = True
                        break
                if moved:
                    continue
                if (all(map(until.reached, states.values())) and until) or deadline.over:
                    ended = Ended([], until, deadline.over)
                    yield ended
                    if not ended.more:
                        return
                _leave(self._feed)
                if not await subscription.wait(deadline.left(self._heartbeat)) and not deadline.over:
                    yield Frames(b"", token=cursor.encode())

    async def batches(
        self, tenant: str, session_id: str, after: Mapping[str, int], until: Until, max_wait: float | None
    ) -> AsyncIterator[Item]:
        """Some batches of a session, each after a sequence of its own; ends when every one of them is there."""
        deadline, cursors = Deadline(self._clock, max_wait), dict(after)
        with self._feed.watch_session(tenant, session_id) as subscription:
            while True:
                moved, there = False, True
                for batch_id, cursor in cursors.items():
                    head = await self._head(tenant, batch_id)
                    there = there and until.reached(head.state)
                    if cursor < head.head:
                        moved = True
                        frames = await self._read(tenant, batch_id, head, cursor)
                        payload, cursors[batch_id] = self._join(frames, cursor)
                        yield Frames(payload)
                if moved:
                    continue
                if there or deadline.over:
                    ended = Ended(list(cursors), until, deadline.over, dict(cursors))
                    yield ended
                    if not ended.more:
                        return
                _leave(self._feed)
                if not await subscription.wait(deadline.left(self._heartbeat)) and not deadline.over:
                    yield Frames(b"")

    async def _catch_up(
        self, tenant: str, batch_id: str, head: BatchHead, cursor: SessionCursor
    ) -> AsyncIterator[Item]:
        """One batch up to its head."""
        after = cursor.after(head)
        while after < head.head:
            payload, after = self._join(await self._read(tenant, batch_id, head, after), after)
            cursor.advance(head, after)
            yield Frames(payload, token=cursor.encode())
        cursor.advance(head, after)  # its end may have been read before that it was the end


def _check_cursor(batch_id: str, after: int, head: BatchHead) -> None:
    check_kept(batch_id, after, head)
    if after > head.head:
        raise OutOfRangeError(
            "SEQUENCE_IN_FUTURE",
            f"resume_after {after} is beyond the last event, {head.head}",
            violations=[FieldViolation("resume_after", f"must be at most {head.head}")],
            metadata={"sequence": str(head.head)},
        )
