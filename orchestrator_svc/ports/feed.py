"""Wake-ups for watchers: what was just committed. Losing one costs time, never an event: the store has them all."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.codec import StoredFrame


class News(NamedTuple):
    """One batch after a commit: its new frames, and where it stands."""

    tenant: str
    session_id: str
    batch_id: str
    head: int
    state: BatchState
    frames: tuple[StoredFrame, ...]


class Tail(NamedTuple):
    """The latest of a batch. `frames` go on from the cursor without a gap."""

    head: int
    state: BatchState
    frames: tuple[StoredFrame, ...]


class Subscription(Protocol):
    """One watcher. Subscribe first, then read the store: nothing is missed in between."""

    async def wait(self, timeout: float | None) -> bool:
        """Until something was published since the last wait. False: `timeout` (s) ended it."""
        ...

    def tail(self, after: int) -> Tail | None:
        """What came after that sequence, from memory; None: not known here (any more), read the store.

        Only of a batch's subscription. At most about 1 MiB at a time.
        """
        ...


class Feed(Protocol):
    """In-process by nature: each replica publishes what it committed, and what others told it of."""

    def publish(self, news: Sequence[News]) -> None:
        """After the commit; per batch in order of sequence. Never blocks."""
        ...

    def watch_batch(self, tenant: str, batch_id: str) -> AbstractContextManager[Subscription]: ...

    def watch_session(self, tenant: str, session_id: str) -> AbstractContextManager[Subscription]: ...

    def close(self, retry_after: float) -> None:
        """Wakes every watcher; from now on `wait` returns at once. `retry_after`: when to come again, in s."""
        ...

    @property
    def closed(self) -> bool: ...

    @property
    def retry_after(self) -> float: ...
