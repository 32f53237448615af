"""The floor under wake-ups: what it asks, when it asks nothing, and that it asks once more."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.feed.memory import MemoryFeed
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.polling import Polling
from orchestrator_svc.ports.feed import Stand
from orchestrator_svc.ports.store import Store
from shared.kernel.errors import UnavailableError
from shared.kernel.tasks import Supervisor
from tests.support.batches import Builder, judged
from tests.support.stores import commit


class AskedStore:
    """`asked`: for which batches, each time. `away`: that many times it is."""

    def __init__(self) -> None:
        self._inner = MemoryStore(ProtobufEventCodec())
        self.asked: list[list[str]] = []
        self.away = 0

    @property
    def port(self) -> Store:
        return cast(Store, self)

    async def stands(self, batches: Sequence[tuple[str, str]]) -> list[Stand]:
        self.asked.append([batch_id for _, batch_id in batches])
        if self.away:
            self.away -= 1
            raise UnavailableError("STORE_UNAVAILABLE", "the store is away", retry_after=1.0)
        return await self._inner.stands(batches)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Others:
    def __init__(self) -> None:
        self.live = True

    def __call__(self) -> bool:
        return self.live


@pytest.fixture
def store() -> AskedStore:
    return AskedStore()


@pytest.fixture
def feed() -> MemoryFeed:
    return MemoryFeed(shared=True)


@pytest.fixture
def others() -> Others:
    return Others()


@pytest.fixture
def polling(store: AskedStore, feed: MemoryFeed, others: Others) -> Polling:
    return Polling(store.port, feed, others, 0.001)


async def moved(store: AskedStore) -> Builder:
    """By another orchestrator, which says nothing."""
    builder = Builder(session_id="s")
    await commit(store.port, builder.submit([judged("a")]))
    return builder


async def test_one_question_for_all_and_only_who_moved_is_woken(
    store: AskedStore, feed: MemoryFeed, polling: Polling
) -> None:
    one, two = await moved(store), await moved(store)
    with feed.watch_batch("default", one.batch.id) as first, feed.watch_batch("default", two.batch.id) as second:
        first.found(one.batch.head)
        second.found(two.batch.head)
        await polling.look()
        assert store.asked == [[one.batch.id, two.batch.id]]
        assert [await first.wait(0), await second.wait(0)] == [False, False]
        await commit(store.port, two.dispatch("a"))
        await polling.look()
        assert [await first.wait(0), await second.wait(0)] == [False, True]


async def test_sessions_are_woken_by_any_of_their_batches(
    store: AskedStore, feed: MemoryFeed, polling: Polling
) -> None:
    one, two = await moved(store), await moved(store)
    with feed.watch_session("default", "s") as watcher:
        await polling.look()
        assert await watcher.wait(0), "how far its watchers are is not known"
        await polling.look()
        assert not await watcher.wait(0)
        for change in (one.dispatch("a"), two.dispatch("a"), one.fail("a"), one.retry("a")):
            await commit(store.port, change)
            await polling.look()
            assert await watcher.wait(0)
        await moved(store)
        await polling.look()
        assert await watcher.wait(0)
    assert store.asked == []


async def test_nothing_is_asked_while_nobody_watches(store: AskedStore, polling: Polling) -> None:
    await polling.look()
    assert store.asked == []


async def test_nothing_is_asked_while_nobody_else_is_there(
    store: AskedStore, feed: MemoryFeed, polling: Polling, others: Others
) -> None:
    others.live = False
    with feed.watch_batch("default", "b"), feed.watch_session("default", "s") as session:
        await polling.look()
        assert store.asked == []
        assert not await session.wait(0)


async def test_once_more_after_the_last_of_the_others_has_gone(
    store: AskedStore, feed: MemoryFeed, polling: Polling, others: Others
) -> None:
    builder = await moved(store)
    with feed.watch_batch("default", builder.batch.id) as watcher:
        watcher.found(builder.batch.head)
        await polling.look()
        await commit(store.port, builder.dispatch("a"))  # its last word
        others.live = False
        await polling.look()
        assert await watcher.wait(0)
        await polling.look()
        assert len(store.asked) == 2


async def test_that_too_where_the_store_was_away_meanwhile(
    store: AskedStore, feed: MemoryFeed, polling: Polling, others: Others
) -> None:
    builder = await moved(store)
    with feed.watch_batch("default", builder.batch.id) as watcher:
        watcher.found(builder.batch.head)
        await polling.look()
        await commit(store.port, builder.dispatch("a"))
        others.live, store.away = False, 1
        with pytest.raises(UnavailableError):
            await polling.look()
        await polling.look()
        assert await watcher.wait(0)


async def test_it_goes_on_when_the_store_was_away(store: AskedStore, feed: MemoryFeed, polling: Polling) -> None:
    builder = await moved(store)
    store.away = 3
    with feed.watch_batch("default", builder.batch.id) as watcher:
        async with Supervisor() as supervisor:
            supervisor.start(polling.run(), "polling")
            async with asyncio.timeout(30):
                assert await watcher.wait(None)
    assert len(store.asked) >= 4
