"""The feed where others write to the same store: what is in memory is believed as long as it can be the latest."""

import pytest

from orchestrator_svc.adapters.feed.memory import MemoryFeed
from orchestrator_svc.adapters.feed.telling import TellingFeed
from orchestrator_svc.adapters.wakeups.memory import MemoryWakeups, WakeupBus
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.codec import StoredFrame
from orchestrator_svc.ports.feed import News, SessionStand, Stand, Subscription, Tail, Watched
from orchestrator_svc.ports.wakeups import Wake, WakeKind
from tests.support.waking import END, until_end


def news(first: int, last: int, state: BatchState = BatchState.RUNNING, batch: str = "b") -> News:
    return News("t", "s", batch, last, state, (StoredFrame(first, last, b"x"),))


def stand(head: int, batch: str = "b") -> Stand:
    return Stand("t", "s", batch, head)


def spans(tail: Tail | None) -> list[tuple[int, int]] | None:
    return None if tail is None else [(frame.first, frame.last) for frame in tail.frames]


async def woken(watcher: Subscription) -> bool:
    return await watcher.wait(0)


@pytest.fixture
def feed() -> MemoryFeed:
    return MemoryFeed(shared=True)


class TestNudge:
    async def test_a_batch_that_moved_elsewhere_is_the_stores(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(1, 2)])
            assert await woken(watcher)
            feed.nudge([stand(4)])
            assert await woken(watcher)
            assert [watcher.tail(after) for after in (0, 1, 2, 4)] == [None] * 4

    async def test_what_is_known_wakes_nobody(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(1, 2)])
            assert await woken(watcher)
            feed.nudge([stand(1), stand(2)])
            assert not await woken(watcher)
            assert spans(watcher.tail(0)) == [(1, 2)]
            feed.nudge([stand(3)])
            assert await woken(watcher)
            feed.nudge([stand(3)])
            assert not await woken(watcher)

    async def test_what_is_published_here_afterwards_is_believed(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.nudge([stand(4)])
            feed.publish([news(5, 6)])
            assert await woken(watcher)
            assert spans(watcher.tail(4)) == [(5, 6)]
            assert watcher.tail(3) is None
            assert watcher.tail(6) == Tail(6, BatchState.RUNNING, ())

    async def test_what_was_overtaken_is_not_believed(self, feed: MemoryFeed) -> None:
        """Committed here, and published after another one had taken the batch and gone further."""
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(1, 2)])
            feed.nudge([stand(6)])
            feed.publish([news(3, 4, BatchState.BLOCKED)])
            assert await woken(watcher)
            assert [watcher.tail(after) for after in (2, 3, 4)] == [None] * 3
            feed.publish([news(7, 8)])
            assert spans(watcher.tail(6)) == [(7, 8)]

    async def test_other_batches_stay_as_they_are(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher, feed.watch_batch("t", "c") as other:
            feed.publish([news(1, 2), news(1, 2, batch="c")])
            assert await woken(other)
            feed.nudge([stand(4), Stand("u", "s", "c", 9), stand(9, "unknown")])
            assert not await woken(other)
            assert spans(other.tail(0)) == [(1, 2)]
            assert watcher.tail(0) is None

    async def test_sessions_are_woken(self, feed: MemoryFeed) -> None:
        with feed.watch_session("t", "s") as watcher, feed.watch_session("u", "s") as other:
            feed.nudge([stand(4)])
            assert await woken(watcher)
            assert not await woken(other)

    async def test_sessions_are_woken_by_more_events(self, feed: MemoryFeed) -> None:
        with feed.watch_session("t", "s") as watcher, feed.watch_session("u", "s") as other:
            feed.nudge_sessions([SessionStand("t", "s", 3), SessionStand("t", "unknown", 3)])
            assert await woken(watcher)
            assert not await woken(other)
            feed.nudge_sessions([SessionStand("t", "s", 3)])
            assert not await woken(watcher)
            feed.nudge_sessions([SessionStand("t", "s", 4)])
            assert await woken(watcher)

    async def test_all_at_once(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as batch, feed.watch_session("u", "s") as session:
            feed.publish([news(1, 2)])
            assert await woken(batch)
            feed.nudge_all()
            assert await woken(batch)
            assert await woken(session)
            assert batch.tail(2) is None


class TestLateWatchers:
    """The store was read after they came: what was published before may be older than that."""

    def test_they_begin_at_the_store(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as early:
            feed.publish([news(1, 2, BatchState.BLOCKED)])
            with feed.watch_batch("t", "b") as late:
                assert late.tail(2) is None
                assert early.tail(2) == Tail(2, BatchState.BLOCKED, ())
                feed.publish([news(3, 4)])
                assert spans(late.tail(2)) == [(3, 4)]
                assert spans(late.tail(0)) == [(1, 2), (3, 4)]

    def test_where_nobody_else_writes_they_share_the_tail(self) -> None:
        feed = MemoryFeed()
        with feed.watch_batch("t", "b"):
            feed.publish([news(1, 2)])
            with feed.watch_batch("t", "b") as late:
                late.found(1)
                assert spans(late.tail(0)) == [(1, 2)]

    async def test_what_one_finds_in_the_store_wakes_the_others(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher, feed.watch_batch("t", "b") as other:
            watcher.found(3)
            assert not await woken(watcher)
            assert await woken(other)
            other.found(3)
            assert not await woken(watcher)
            feed.nudge([stand(3)])
            assert not await woken(watcher)
            assert not await woken(other)

    async def test_finding_something_hides_no_news(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(1, 2)])
            watcher.found(3)
            assert await woken(watcher)


def test_what_is_watched() -> None:
    feed = MemoryFeed(shared=True)
    with feed.watch_batch("t", "b"), feed.watch_batch("t", "b"), feed.watch_session("u", "s"):
        assert feed.watched() == Watched([("t", "b")], [("u", "s")])
    assert feed.watched() == Watched([], [])


class TestTelling:
    async def test_what_is_published_here_is_told(self) -> None:
        bus = WakeupBus()
        mine, theirs = MemoryWakeups(bus, "mine"), MemoryWakeups(bus, "theirs")
        await mine.start()
        await theirs.start()
        feed = TellingFeed(MemoryFeed(shared=True), mine, lambda: True)
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(1, 2)])
            feed.publish([news(3, 4)])
            feed.publish([])
            mine.send([END])
            assert await until_end(theirs) == [Wake(WakeKind.MOVED, "t", "s", "b", head=4)]
            assert spans(watcher.tail(0)) == [(1, 2), (3, 4)]

    async def test_nothing_is_told_while_nobody_is_there(self) -> None:
        bus = WakeupBus()
        mine, theirs = MemoryWakeups(bus, "mine"), MemoryWakeups(bus, "theirs")
        await mine.start()
        await theirs.start()
        feed = TellingFeed(MemoryFeed(shared=True), mine, lambda: False)
        feed.publish([news(1, 2)])
        mine.send([END])
        assert await until_end(theirs) == []
