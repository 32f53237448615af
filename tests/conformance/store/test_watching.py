"""What watchers read: frames from a cursor, the heads of a session's batches, and how far many batches are."""

from greenlight.orchestrator.v1 import event_pb2
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.feed import SessionStand, Stand
from orchestrator_svc.ports.store import Store
from tests.support.batches import Builder, judged
from tests.support.stores import commit, submitted


async def sent(store: Store, builder: Builder, *items: str) -> Builder:
    return await submitted(store, builder, builder.submit([judged(item) for item in items]))


class TestFrames:
    async def test_from_a_cursor(self, store: Store) -> None:
        builder = await sent(store, Builder(), *[f"p{n}" for n in range(100)])
        await commit(store, builder.dispatch("p0"))
        frames = await store.read_frames(builder.batch.number, 0, 1 << 20)
        assert [(frame.first, frame.last) for frame in frames] == [(1, 64), (65, 101), (102, 102)]

        async def firsts(after: int) -> list[int]:
            return [frame.first for frame in await store.read_frames(builder.batch.number, after, 1 << 20)]

        assert await firsts(63) == [1, 65, 102]
        assert await firsts(64) == [65, 102]
        assert await firsts(65) == [65, 102]
        assert await firsts(101) == [102]
        assert await firsts(102) == []
        assert await firsts(500) == []

    async def test_about_as_much_as_is_asked_for_and_at_least_one(self, store: Store) -> None:
        builder = await sent(store, Builder(), *[f"p{n}" for n in range(60)])
        for key in list(builder.batch.by_key):
            await commit(store, builder.dispatch(key))
        number = builder.batch.number
        assert len(await store.read_frames(number, 61, 1)) == 1
        limited = await store.read_frames(number, 61, 1000)
        assert 1000 <= sum(len(frame.payload) for frame in limited) < 1200
        assert len(await store.read_frames(number, 61, 1 << 20)) == 60

    async def test_they_concatenate(self, store: Store) -> None:
        builder = await sent(store, Builder(), "a", "b")
        await commit(store, builder.dispatch("a"))
        await commit(store, builder.dispatch("b"))
        frames = await store.read_frames(builder.batch.number, 0, 1 << 20)
        joined = event_pb2.EventFrame.FromString(b"".join(frame.payload for frame in frames))
        assert [event.sequence for event in joined.events] == list(range(1, builder.batch.head + 1))
        assert joined.sequence == builder.batch.head


class TestSessionHeads:
    async def test_new_ones_and_those_asked_for(self, store: Store) -> None:
        builders = [await sent(store, Builder(session_id="s"), "a") for _ in range(4)]

        async def numbers(after: int, also: list[int]) -> list[int]:
            return [head.session_no for _, head in await store.session_heads("default", "s", after, also)]

        assert await numbers(0, []) == [1, 2, 3, 4]
        assert await numbers(2, []) == [3, 4]
        assert await numbers(3, [1, 4, 9]) == [1, 4]
        assert await numbers(4, []) == []
        batch_id, head = (await store.session_heads("default", "s", 3, []))[0]
        assert batch_id == builders[3].batch.id
        assert head == await store.batch_head("default", batch_id)
        assert (head.number, head.head, head.state) == (
            builders[3].batch.number,
            builders[3].batch.head,
            BatchState.RUNNING,
        )

    async def test_those_that_were_reopened(self, store: Store) -> None:
        builders = [await sent(store, Builder(session_id="s"), "a") for _ in range(2)]
        for builder in builders:
            await commit(store, builder.dispatch("a"), builder.fail("a"))
        assert await store.session_heads("default", "s", 2, []) == []
        before = builders[0].batch.head
        await commit(store, builders[0].retry("a"))
        [(batch_id, head)] = await store.session_heads("default", "s", 2, [])
        assert (batch_id, head.reopened_after) == (builders[0].batch.id, before)


class TestStands:
    async def test_of_those_that_are_there(self, store: Store) -> None:
        one, two = [await sent(store, Builder(session_id="s"), "a") for _ in range(2)]
        await commit(store, two.dispatch("a"))
        asked = [("default", two.batch.id), ("default", "unknown"), ("default", one.batch.id)]
        found = await store.stands(asked)
        assert sorted(found) == sorted(
            Stand("default", "s", builder.batch.id, builder.batch.head) for builder in (one, two)
        )
        assert await store.stands([]) == []

    async def test_of_sessions(self, store: Store) -> None:
        one, two = [await sent(store, Builder(session_id="s"), "a") for _ in range(2)]
        other = await sent(store, Builder(session_id="t"), "a", "b")
        asked = [("default", "s"), ("default", "unknown"), ("default", "t"), ("other", "s")]

        async def events() -> dict[str, int]:
            found = await store.session_stands(asked)
            assert {stand.tenant for stand in found} == {"default"}
            return {stand.session_id: stand.events for stand in found}

        assert await events() == {"s": one.batch.head + two.batch.head, "t": other.batch.head}
        before = await events()
        await commit(store, one.dispatch("a"))
        assert (await events())["s"] > before["s"]
        before = await events()
        await commit(store, one.fail("a"), two.dispatch("a"))
        assert (await events())["s"] > before["s"]
        assert (await events())["t"] == before["t"]
        assert await store.session_stands([]) == []

    async def test_of_many(self, store: Store) -> None:
        builder = await sent(store, Builder(), "a")
        asked = [("default", f"unknown-{number}") for number in range(5000)]
        assert len(await store.stands([*asked, ("default", builder.batch.id)])) == 1

    async def test_of_each_tenant_its_own(self, store: Store) -> None:
        a, b = Builder(tenant="a", session_id="s"), Builder(tenant="b", session_id="s")
        b.batch.id = a.batch.id
        await sent(store, a, "a")
        await sent(store, b, "a", "b")
        assert await store.stands([("b", a.batch.id)]) == [Stand("b", "s", b.batch.id, b.batch.head)]
        assert await store.stands([("c", a.batch.id)]) == []
        assert await store.session_stands([("b", "s")]) == [SessionStand("b", "s", b.batch.head)]
        assert await store.session_stands([("c", "s")]) == []

    async def test_of_what_is_published_only(self, store: Store) -> None:
        builder = Builder()
        first, *rest = builder.submit([judged(f"p{number}") for number in range(200)]).parts()
        await commit(store, first)
        assert await store.stands([("default", builder.batch.id)]) == []
        assert await store.session_stands([("default", builder.session_id)]) == []
        await commit(store, *rest)
        assert len(await store.stands([("default", builder.batch.id)])) == 1
