"""Watchers that outlive the orchestrator they watch: each goes on after the last that it saw."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

from greenlight.orchestrator.v1 import event_pb2
from orchestrator_svc.application.tokens import decode_cursor
from orchestrator_svc.application.watch import Ended, Frames, Item, Until, Watch
from tests.support.fuse import Fuse


class Follower(ABC):
    """`seen`: batch id -> its events, in the order in which they came."""

    def __init__(self) -> None:
        self.seen: dict[str, list[event_pb2.Event]] = {}

    async def follow(self, watch: Watch, fuse: Fuse) -> None:
        """Until it is cancelled. What a stopped world would still say is not heard."""
        async for item in self._stream(watch):
            if fuse.off:
                await fuse.never()
            assert not isinstance(item, Ended)
            self._move(item)
            for event in event_pb2.EventFrame.FromString(item.payload).events:
                self.seen.setdefault(event.batch_id, []).append(event)

    @abstractmethod
    def _stream(self, watch: Watch) -> AsyncIterator[Item]: ...

    @abstractmethod
    def _move(self, frames: Frames) -> None: ...


class BatchFollower(Follower):
    def __init__(self, batch_id: str) -> None:
        super().__init__()
        self._batch_id, self._cursor = batch_id, 0

    def _stream(self, watch: Watch) -> AsyncIterator[Item]:
        return watch.batch("default", self._batch_id, self._cursor, Until.NEVER, None)

    def _move(self, frames: Frames) -> None:
        self._cursor = frames.sequence


class SessionFollower(Follower):
    def __init__(self, session_id: str) -> None:
        super().__init__()
        self._session_id, self._token = session_id, ""

    def _stream(self, watch: Watch) -> AsyncIterator[Item]:
        cursor = decode_cursor(self._token, "resume_after", "default", self._session_id)
        return watch.session("default", self._session_id, cursor, Until.NEVER, None)

    def _move(self, frames: Frames) -> None:
        self._token = frames.token
