"""What watchers see of several orchestrators on one store: of each, its feed, its wake-ups and its watching.

Who writes commits to the store and publishes there, as an engine does; whose a batch is, is not looked at.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

from greenlight.orchestrator.v1 import event_pb2
from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.feed.memory import MemoryFeed
from orchestrator_svc.adapters.feed.telling import TellingFeed
from orchestrator_svc.adapters.wakeups.memory import MemoryWakeups, WakeupBus
from orchestrator_svc.application.polling import Polling
from orchestrator_svc.application.tokens import SessionCursor, decode_cursor
from orchestrator_svc.application.waking import Looks, Waking
from orchestrator_svc.application.watch import Ended, Item, Until, Watch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.ports.feed import News
from orchestrator_svc.ports.store import Store
from orchestrator_svc.ports.wakeups import Wakeups
from shared.kernel.clock import SystemClock
from shared.kernel.tasks import Supervisor
from tests.support.stores import commit
from tests.support.waking import DeafWakeups

POLLED = 0.01
"""Seconds; a test does not wait for a whole one."""


class Replica:
    """`looked`: which looks its wake-ups led to, by name."""

    def __init__(self, store: Store, wakeups: Wakeups) -> None:
        self.store, self.wakeups = store, wakeups
        self.looked: list[str] = []
        self.alone = False
        self.feed = TellingFeed(MemoryFeed(shared=True), wakeups, self.others)
        looks = Looks(*[self._look(name) for name in ("commands", "answers", "released")])
        self.waking = Waking(wakeups, self.feed, looks)
        self.polling = Polling(store, self.feed, self.others, POLLED)
        self.watch = Watch(store, self.feed, ProtobufEventCodec(), SystemClock(), heartbeat=3600.0)

    def others(self) -> bool:
        return not self.alone

    def _look(self, name: str) -> Callable[[], None]:
        return lambda: self.looked.append(name)

    async def write(self, *changes: Changes) -> None:
        """One commit."""
        committed = await commit(self.store, *changes)
        assert not committed.lost
        batch, header = changes[-1].batch, changes[-1].header
        assert header is not None
        frames = tuple(committed.frames[batch.id])
        self.feed.publish([News(batch.tenant, batch.session_id, batch.id, header.head, header.state, frames)])

    async def batch_events(self, batch_id: str, until: Until = Until.FINISHED, after: int = 0) -> list[int]:
        """Sequences, until the stream ends by itself."""
        found: list[int] = []
        async for item in self.watch.batch("default", batch_id, after, until, None):
            found += [event.sequence for event in events(item)]
        return found

    async def session_events(self, session_id: str, until: Until = Until.FINISHED) -> dict[str, list[int]]:
        """Batch id -> sequences."""
        cursor: SessionCursor = decode_cursor("", "session_token", "default", session_id)
        return await _by_batch(self.watch.session("default", session_id, cursor, until, None))

    async def turn_events(self, session_id: str, after: dict[str, int]) -> dict[str, list[int]]:
        """Of some batches of a session, as SoftConfirm follows them."""
        return await _by_batch(self.watch.batches("default", session_id, after, Until.FINISHED, None))


async def _by_batch(items: AsyncIterator[Item]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    async for item in items:
        for event in events(item):
            found.setdefault(event.batch_id, []).append(event.sequence)
    return found


def events(item: Item) -> list[event_pb2.Event]:
    return [] if isinstance(item, Ended) else list(event_pb2.EventFrame.FromString(item.payload).events)


@asynccontextmanager
async def replicas(store: Store, count: int = 2, *, deaf: bool = False) -> AsyncGenerator[list[Replica]]:
    """`deaf`: every wake-up is lost, and polling is all there is; else there is no polling."""
    bus = WakeupBus()
    found: list[Replica] = []
    async with Supervisor() as supervisor:
        for number in range(count):
            wakeups: Wakeups = MemoryWakeups(bus, f"incarnation-{number}")
            await wakeups.start()
            replica = Replica(store, DeafWakeups(wakeups).port if deaf else wakeups)
            supervisor.start(replica.waking.run(), "waking")
            if deaf:
                supervisor.start(replica.polling.run(), "polling")
            found.append(replica)
        yield found
