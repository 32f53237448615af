"""The feed within one process: what was just committed, kept for those who watch it now, at most 1 MiB a batch.

No watcher has a queue of its own: all of a batch share one tail, and who is too slow for it reads the store. So does,
where the store is shared, who came after what is known here, and everybody once a batch has moved on elsewhere.
"""

import asyncio
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager

from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.codec import StoredFrame
from orchestrator_svc.ports.feed import News, SessionStand, Stand, Subscription, Tail, Watched

TAIL_BYTES = 1 << 20
_Key = tuple[str, str]


class _Topic:
    """What is watched: a session, or a batch with its tail."""

    def __init__(self) -> None:
        self.watchers = 0
        self.published = 0
        self.news = 0
        self.woken = asyncio.Event()
        self.head = -1  # nothing known
        self.told = -1  # where others are, or were
        self.state = BatchState.RUNNING
        self.frames: deque[StoredFrame] = deque()
        self.size = 0
        self.closed = False

    def wake(self) -> None:
        self.published += 1
        self.woken.set()
        if not self.closed:
            self.woken = asyncio.Event()

    def close(self) -> None:
        """Woken, and never put to sleep again."""
        self.woken.set()
        self.closed = True

    def nudge(self, head: int) -> None:
        """Somebody else's commits: what is here is not the latest, if that is new. Of a session: all events."""
        if head > max(self.head, self.told):
            self.told = head
            self.start_anew()

    def start_anew(self) -> None:
        self.head = -1
        self._forget()
        self.wake()

    def extend(self, news: News) -> None:
        self.news += 1
        for frame in news.frames:
            if frame.first != self.head + 1:
                self._forget()
            self.frames.append(frame)
            self.size += len(frame.payload)
            self.head = frame.last
        if news.head != self.head:
            self._forget()
        self.head, self.state = news.head, news.state
        while self.size > TAIL_BYTES and len(self.frames) > 1:
            self.size -= len(self.frames.popleft().payload)

    def _forget(self) -> None:
        self.frames.clear()
        self.size = 0

    def tail(self, after: int) -> Tail | None:
        if self.head < self.told:  # published here after somebody else had gone further
            return None
        if after == self.head:
            return Tail(self.head, self.state, ())
        found: list[StoredFrame] = []
        for frame in reversed(self.frames):
            if frame.last <= after:
                break
            found.append(frame)
        if not found or found[-1].first > after + 1:
            return None
        return Tail(self.head, self.state, tuple(reversed(found)))


class _Watcher:
    """Implements `Subscription`. Where the store is shared it believes only what was published since it came."""

    def __init__(self, topic: _Topic, *, shared: bool) -> None:
        self._topic, self._shared = topic, shared
        self._seen = topic.published
        self._before = topic.news if shared else -1

    async def wait(self, timeout: float | None) -> bool:
        topic = self._topic
        if topic.published == self._seen:
            try:
                async with asyncio.timeout(timeout):
                    await topic.woken.wait()
            except TimeoutError:
                return False
        self._seen = topic.published
        return True

    def tail(self, after: int) -> Tail | None:
        return self._topic.tail(after) if self._topic.news > self._before else None

    def found(self, head: int) -> None:
        if self._shared:
            published = self._topic.published
            self._topic.nudge(head)
            self._seen += self._topic.published - published


class MemoryFeed:
    """Implements `Feed`. Used from one event loop. `shared`: others write to the same store."""

    def __init__(self, *, shared: bool = False) -> None:
        self._shared = shared
        self._batches: dict[_Key, _Topic] = {}
        self._sessions: dict[_Key, _Topic] = {}
        self.closed = False
        self.retry_after = 0.0

    def close(self, retry_after: float) -> None:
        self.closed, self.retry_after = True, retry_after
        for topic in [*self._batches.values(), *self._sessions.values()]:
            topic.close()

    def publish(self, news: Sequence[News]) -> None:
        for item in news:
            batch = self._batches.get((item.tenant, item.batch_id))
            if batch is not None:
                batch.extend(item)
                batch.wake()
            session = self._sessions.get((item.tenant, item.session_id))
            if session is not None:
                session.wake()

    def nudge(self, stands: Sequence[Stand]) -> None:
        for stand in stands:
            batch = self._batches.get((stand.tenant, stand.batch_id))
            if batch is not None:
                batch.nudge(stand.head)
            session = self._sessions.get((stand.tenant, stand.session_id))
            if session is not None:
                session.wake()

    def nudge_sessions(self, stands: Sequence[SessionStand]) -> None:
        for stand in stands:
            session = self._sessions.get((stand.tenant, stand.session_id))
            if session is not None:
                session.nudge(stand.events)

    def nudge_all(self) -> None:
        for batch in self._batches.values():
            batch.start_anew()
        for session in self._sessions.values():
            session.wake()

    def watched(self) -> Watched:
        return Watched(list(self._batches), list(self._sessions))

    def watch_batch(self, tenant: str, batch_id: str) -> AbstractContextManager[Subscription]:
        return _watching(self._batches, (tenant, batch_id), self._shared)

    def watch_session(self, tenant: str, session_id: str) -> AbstractContextManager[Subscription]:
        return _watching(self._sessions, (tenant, session_id), self._shared)


@contextmanager
def _watching(topics: dict[_Key, _Topic], key: _Key, shared: bool) -> Generator[_Watcher]:
    """A topic exists while somebody watches it."""
    topic = topics.setdefault(key, _Topic())
    topic.watchers += 1
    try:
        yield _Watcher(topic, shared=shared)
    finally:
        topic.watchers -= 1
        if not topic.watchers:
            del topics[key]
