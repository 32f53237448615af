"""Wake-ups for watchers: what was just committed. Losing one costs time, never an event: the store has them all.

Where several orchestrators share a store, each publishes what it committed; of what the others did it knows that a
batch has moved (`nudge`), and its watchers read the store.
"""

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


class Stand(NamedTuple):
    """`head`: of a batch's last event."""

    tenant: str
    session_id: str
    batch_id: str
    head: int


class SessionStand(NamedTuple):
    """`events`: how many its batches have, in all. It grows with each, whichever batch it is of."""

    tenant: str
    session_id: str
    events: int


class Watched(NamedTuple):
    """(tenant, id) of what somebody watches now."""

    batches: list[tuple[str, str]]
    sessions: list[tuple[str, str]]


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

        Only of a batch's subscription. At most about 1 MiB at a time. On a store that is shared it says nothing of what
        was published before the subscription: the batch may have moved on elsewhere since.
        """
        ...

    def found(self, head: int) -> None:
        """What the store says of the batch: as if others had told it, but that this watcher knows."""
        ...


class Feed(Protocol):
    """In-process by nature: each replica publishes what it committed."""

    def publish(self, news: Sequence[News]) -> None:
        """After the commit; per batch in order of sequence. Never blocks."""
        ...

    def nudge(self, stands: Sequence[Stand]) -> None:
        """Where others are with their batches. One that is further than what was published here, or told before,
        wakes its watchers, who read the store; the session's are woken anyway."""
        ...

    def nudge_sessions(self, stands: Sequence[SessionStand]) -> None:
        """Watchers of a session that has more events than it had the last time wake, and read the store."""
        ...

    def nudge_all(self) -> None:
        """Anything may have moved elsewhere: all watchers read the store."""
        ...

    def watched(self) -> Watched: ...

    def watch_batch(self, tenant: str, batch_id: str) -> AbstractContextManager[Subscription]: ...

    def watch_session(self, tenant: str, session_id: str) -> AbstractContextManager[Subscription]: ...

    def close(self, retry_after: float) -> None:
        """Wakes every watcher; from now on `wait` returns at once. `retry_after`: when to come again, in s."""
        ...

    @property
    def closed(self) -> bool: ...

    @property
    def retry_after(self) -> float: ...
