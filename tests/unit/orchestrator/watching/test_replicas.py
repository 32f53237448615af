"""Watchers on an orchestrator that does not write the batch: the same sequence without a gap, whatever wakes them."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.watch import Ended, Until
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import Session
from tests.support.batches import START, Builder, judged
from tests.support.replicas import Replica, events, replicas


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ProtobufEventCodec())


@pytest.fixture(params=["heard", "deaf"])
async def three(request: pytest.FixtureRequest, store: MemoryStore) -> AsyncIterator[list[Replica]]:
    """Three of them: their wake-ups arrive and they don't poll, or no wake-up arrives and they do."""
    async with replicas(store, 3, deaf=request.param == "deaf") as found:
        yield found


def contiguous(batch: Batch, after: int = 0) -> list[int]:
    return list(range(after + 1, batch.head + 1))


async def pause() -> None:
    """Long enough for watchers to have seen what was written, or short enough that they have not."""
    for _ in range(random.choice([0, 1, 5, 60])):
        await asyncio.sleep(0)


async def run(writers: list[Replica], builder: Builder, *, last: bool = True) -> None:
    """A call after the other, each written by the next of the writers; the last one ends the batch."""
    turn = 0
    keys = list(builder.batch.by_key)
    for key in keys if last else keys[:-1]:
        for change in (builder.dispatch, builder.succeed):
            await writers[turn % len(writers)].write(change(key))
            turn += 1
            await pause()


async def itself(ended: Ended) -> Ended:
    return ended


async def submitted(writer: Replica, count: int = 6) -> Builder:
    builder = Builder(session_id="s")
    await writer.write(builder.submit([judged(f"p{number}") for number in range(count)]))
    return builder


class TestStreams:
    async def test_a_batch(self, three: list[Replica]) -> None:
        builder = await submitted(three[0])
        async with asyncio.TaskGroup() as tasks:
            watching = [tasks.create_task(replica.batch_events(builder.batch.id)) for replica in three]
            await run(three[:1], builder)
        assert [task.result() for task in watching] == [contiguous(builder.batch)] * 3

    async def test_a_batch_that_changes_hands_twice(self, three: list[Replica]) -> None:
        builder = await submitted(three[0], 9)
        async with asyncio.TaskGroup() as tasks:
            watching = [tasks.create_task(replica.batch_events(builder.batch.id)) for replica in three]
            for writer, keys in ((three[0], "012"), (three[1], "345"), (three[0], "678")):
                for key in keys:
                    await writer.write(builder.dispatch(f"p{key}"))
                    await pause()
                    await writer.write(builder.succeed(f"p{key}"))
                    await pause()
        assert [task.result() for task in watching] == [contiguous(builder.batch)] * 3

    @pytest.mark.parametrize("seed", range(20))
    async def test_a_batch_that_changes_hands_all_the_time(self, three: list[Replica], seed: int) -> None:
        random.seed(seed)
        builder = await submitted(three[0], 12)
        writers = [random.choice(three) for _ in range(24)]
        async with asyncio.TaskGroup() as tasks:
            watching: list[tuple[int, asyncio.Task[list[int]]]] = []
            for part in range(3):
                for replica in three:
                    after = random.randint(0, builder.batch.head)
                    events = replica.batch_events(builder.batch.id, after=after)
                    watching.append((after, tasks.create_task(events)))
                for number in range(4 * part, 4 * part + 4):
                    await writers[2 * number].write(builder.dispatch(f"p{number}"))
                    await pause()
                    await writers[2 * number + 1].write(builder.succeed(f"p{number}"))
                    await pause()
        for after, task in watching:
            assert task.result() == contiguous(builder.batch, after)

    async def test_a_session(self, store: MemoryStore, three: list[Replica]) -> None:
        await store.create_session(Session("s", "default", "", "{}", {}, 1, START, START))
        first = await submitted(three[0])
        async with asyncio.TaskGroup() as tasks:
            watching = [tasks.create_task(replica.session_events("s")) for replica in three]
            await run(three, first, last=False)
            second = await submitted(three[1])
            await run([three[2]], second)
            key = list(first.batch.by_key)[-1]
            await three[1].write(first.dispatch(key))
            await pause()
            await three[0].write(first.succeed(key))
        expected = {each.batch.id: contiguous(each.batch) for each in (first, second)}
        assert [task.result() for task in watching] == [expected] * 3

    async def test_a_users_turn(self, three: list[Replica]) -> None:
        first, second = [await submitted(three[0]) for _ in range(2)]
        after = {first.batch.id: first.batch.head, second.batch.id: second.batch.head - 1}
        async with asyncio.TaskGroup() as tasks:
            watching = [tasks.create_task(replica.turn_events("s", dict(after))) for replica in three]
            await run(three[:1], first)
            await run(three[1:2], second)
        expected = {each.batch.id: contiguous(each.batch, after[each.batch.id]) for each in (first, second)}
        assert [task.result() for task in watching] == [expected] * 3

    async def test_waiting_without_events(self, three: list[Replica]) -> None:
        builder = await submitted(three[0])
        async with asyncio.TaskGroup() as tasks:
            waiting = [
                tasks.create_task(each.watch.wait("default", builder.batch.id, Until.FINISHED, 60, itself))
                for each in three
            ]
            await run(three, builder)
        assert [task.result().over for task in waiting] == [False] * 3


class TestUntilBlocked:
    """Blocked when it was written here; another one has let it go on since, and its wake-up is lost."""

    @pytest.fixture
    async def gone_on(self, store: MemoryStore) -> AsyncIterator[tuple[Replica, Replica, Builder, int]]:
        """Where it is watched, where it goes on, and where it was blocked."""
        async with replicas(store, 2, deaf=True) as (here, there):
            builder = Builder(session_id="s")
            await here.write(builder.submit([judged("a", tier=Tier.SOFT), judged("b", tier=Tier.SOFT)]))
            with here.feed.watch_batch("default", builder.batch.id):
                await here.write(builder.reject("b"))
                blocked = builder.batch.head
                await there.write(builder.approve("a"))
                yield here, there, builder, blocked

    async def test_one_that_comes_later_is_not_told_of_what_is_over(
        self, gone_on: tuple[Replica, Replica, Builder, int]
    ) -> None:
        here, there, builder, blocked = gone_on
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(here.batch_events(builder.batch.id, Until.BLOCKED, blocked))
            await there.write(builder.dispatch("a"))
            await there.write(builder.succeed("a"))
        assert watching.result() == contiguous(builder.batch, blocked)

    async def test_nor_one_that_goes_on_with_what_was_begun_before(
        self, gone_on: tuple[Replica, Replica, Builder, int]
    ) -> None:
        """As a RunBatch that comes again: it subscribes, and looks nothing up."""
        here, there, builder, blocked = gone_on
        found: list[int] = []
        with here.watch.subscribe("default", builder.batch.id) as subscription:
            items = here.watch.follow(subscription, "default", builder.batch.id, blocked, Until.BLOCKED, None)
            async for item in items:
                found += [event.sequence for event in events(item)]
                if not builder.batch.by_key["a"].attempts:
                    await there.write(builder.dispatch("a"), builder.succeed("a"))
        assert found == contiguous(builder.batch, blocked)
