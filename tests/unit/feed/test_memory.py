"""The feed: who watches is woken, and has the tail; who is too slow reads the store."""

import asyncio

import pytest

from orchestrator_svc.adapters.feed.memory import TAIL_BYTES, MemoryFeed
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.codec import StoredFrame
from orchestrator_svc.ports.feed import News, Tail


def news(
    first: int,
    last: int,
    *,
    size: int = 10,
    state: BatchState = BatchState.RUNNING,
    tenant: str = "t",
    batch: str = "b",
) -> News:
    return News(tenant, "s", batch, last, state, (StoredFrame(first, last, b"x" * size),))


@pytest.fixture
def feed() -> MemoryFeed:
    return MemoryFeed()


def spans(tail: Tail | None) -> list[tuple[int, int]] | None:
    return None if tail is None else [(frame.first, frame.last) for frame in tail.frames]


class TestTail:
    def test_nothing_is_known_before_the_first_news(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            assert watcher.tail(0) is None

    def test_it_goes_on_from_the_cursor(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(4, 6), news(7, 7)])
            feed.publish([news(8, 9, state=BatchState.SUCCEEDED)])
            assert spans(watcher.tail(3)) == [(4, 6), (7, 7), (8, 9)]
            assert spans(watcher.tail(5)) == [(4, 6), (7, 7), (8, 9)]
            assert spans(watcher.tail(6)) == [(7, 7), (8, 9)]
            assert spans(watcher.tail(7)) == [(8, 9)]
            assert watcher.tail(9) == Tail(9, BatchState.SUCCEEDED, ())

    def test_what_lies_before_is_the_stores(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(4, 6)])
            assert watcher.tail(2) is None

    def test_a_reader_of_the_store_may_be_ahead(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(4, 6)])
            assert watcher.tail(7) is None

    def test_a_gap_starts_it_anew(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(1, 2), news(5, 6)])
            assert watcher.tail(0) is None
            assert spans(watcher.tail(4)) == [(5, 6)]

    def test_a_head_without_frames_is_the_stores(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(1, 2)])
            feed.publish([News("t", "s", "b", 8, BatchState.RUNNING, ())])
            assert watcher.tail(2) is None
            assert watcher.tail(8) == Tail(8, BatchState.RUNNING, ())

    def test_news_without_events_tell_the_state(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(1, 2)])
            feed.publish([News("t", "s", "b", 2, BatchState.BLOCKED, ())])
            assert watcher.tail(2) == Tail(2, BatchState.BLOCKED, ())
            assert spans(watcher.tail(0)) == [(1, 2)]

    def test_it_is_bounded(self, feed: MemoryFeed) -> None:
        quarter = TAIL_BYTES // 4
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(n, n, size=quarter) for n in range(1, 11)])
            assert watcher.tail(0) is None
            assert spans(watcher.tail(6)) == [(7, 7), (8, 8), (9, 9), (10, 10)]
            feed.publish([news(11, 11, size=2 * TAIL_BYTES)])
            assert spans(watcher.tail(10)) == [(11, 11)]
            assert watcher.tail(9) is None

    def test_watchers_share_it_and_it_goes_with_the_last(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as first:
            feed.publish([news(1, 2)])
            with feed.watch_batch("t", "b") as second:
                assert first.tail(0) == second.tail(0)
            assert spans(first.tail(0)) == [(1, 2)]
        with feed.watch_batch("t", "b") as third:
            assert third.tail(0) is None

    def test_other_batches_and_tenants_are_apart(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(1, 2, tenant="u"), news(1, 2, batch="c")])
            assert watcher.tail(0) is None


class TestWait:
    async def test_news_before_the_wait_count(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(1, 2)])
            assert await watcher.wait(0)
            assert not await watcher.wait(0)

    async def test_news_before_the_subscription_do_not(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b"):
            feed.publish([news(1, 2)])
            with feed.watch_batch("t", "b") as watcher:
                assert not await watcher.wait(0)

    async def test_every_watcher_is_woken(self, feed: MemoryFeed) -> None:
        async def watch() -> bool:
            with feed.watch_batch("t", "b") as watcher:
                return await watcher.wait(None)

        async with asyncio.TaskGroup() as tasks:
            watching = [tasks.create_task(watch()) for _ in range(3)]
            await asyncio.sleep(0)
            feed.publish([news(1, 2)])
        assert [task.result() for task in watching] == [True] * 3

    async def test_a_cancelled_watcher_leaves_the_others(self, feed: MemoryFeed) -> None:
        async def watch() -> bool:
            with feed.watch_batch("t", "b") as watcher:
                return await watcher.wait(None)

        async with asyncio.TaskGroup() as tasks:
            first, second = tasks.create_task(watch()), tasks.create_task(watch())
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.sleep(0)
            feed.publish([news(1, 2)])
        assert first.cancelled()
        assert second.result()

    async def test_news_of_several_commits_are_one_wake_up(self, feed: MemoryFeed) -> None:
        with feed.watch_batch("t", "b") as watcher:
            feed.publish([news(1, 2), news(3, 4)])
            feed.publish([news(5, 5)])
            assert await watcher.wait(0)
            assert not await watcher.wait(0)
            assert spans(watcher.tail(0)) == [(1, 2), (3, 4), (5, 5)]

    async def test_a_session_is_woken_by_each_of_its_batches(self, feed: MemoryFeed) -> None:
        with feed.watch_session("t", "s") as watcher, feed.watch_session("u", "s") as other:
            for batch in ("b", "c"):
                feed.publish([news(1, 2, batch=batch)])
                assert await watcher.wait(0)
            assert not await other.wait(0)
