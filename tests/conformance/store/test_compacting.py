"""Old events go, in slices; everything else of a batch stays, and who asks can tell what is gone."""

from orchestrator_svc.ports.store import SLICE_FRAMES, Store
from tests.support.batches import Builder, judged
from tests.support.stores import EVERYTHING, Opener, commit, submitted


async def finished(store: Store, builder: Builder | None = None, *, attempts: int = 1) -> Builder:
    """A batch of one call, with a frame an event at the least; its last attempt succeeded."""
    builder = builder or Builder()
    await submitted(store, builder, builder.submit([judged("a")]))
    for number in range(attempts):
        await commit(store, builder.dispatch("a"))
        last = number == attempts - 1
        await commit(store, builder.succeed("a") if last else builder.fail("a"))
        if not last:
            await commit(store, builder.retry("a"))
    return builder


async def compacted(store: Store, tenant: str | None, before: int) -> int:
    """All slices; how many there were."""
    for number in range(1, 100):
        if not (await store.compact(tenant, before)).more:
            return number
    raise AssertionError("it does not end")


async def firsts(store: Store, builder: Builder) -> list[int]:
    return [frame.first for frame in await store.read_frames(builder.batch.number, 0, EVERYTHING)]


async def oldest(store: Store, builder: Builder) -> int:
    head = await store.batch_head(builder.tenant, builder.batch.id)
    assert head is not None
    return head.oldest


async def shown(store: Store, builder: Builder) -> object:
    """The batch, and each of its proposals with decisions, attempts and result."""
    found = await store.get_batch_full(builder.tenant, builder.batch.id, EVERYTHING)
    assert found is not None
    return found[0], [view.proposal.record() for view in found[1]]


async def test_events_go_and_the_rest_stays(store: Store) -> None:
    builder = await finished(store)
    after = builder.now + 1
    before = await shown(store, builder)
    assert await store.compactable("default", after) == (1, builder.batch.head, False)
    assert await store.compact("default", after) == (1, builder.batch.head, False)
    assert await firsts(store, builder) == []
    assert await oldest(store, builder) == builder.batch.head + 1
    assert await shown(store, builder) == before
    assert await store.compact("default", after) == (0, 0, False)
    assert await store.compactable("default", after) == (0, 0, False)


async def test_only_what_finished_before(store: Store) -> None:
    young, old, running = Builder(), Builder(), Builder()
    await finished(store, old)
    young.now = old.now + 1_000_000_000
    await finished(store, young)
    await submitted(store, running, running.submit([judged("a")]))
    finish_time = old.batch.finish_time
    assert finish_time is not None
    assert (await store.compact(None, finish_time)).batches == 0
    assert (await store.compact(None, young.now - 500_000_000)).batches == 1
    assert await firsts(store, old) == []
    assert await firsts(store, young) != []
    assert (await store.compact(None, young.now + 1_000_000)).batches == 1
    assert await firsts(store, running) == [1]


async def test_of_one_tenant_or_of_all(store: Store) -> None:
    mine, other = await finished(store, Builder(tenant="a")), await finished(store, Builder(tenant="b"))
    after = mine.now + 1_000_000_000
    assert await store.compactable(None, after) == (2, mine.batch.head + other.batch.head, False)
    assert (await store.compact("a", after)).batches == 1
    assert await firsts(store, mine) == []
    assert await firsts(store, other) != []
    assert (await store.compact(None, after)).batches == 1
    assert await firsts(store, other) == []


async def test_a_slice_at_a_time_and_on_after_another_start(opener: Opener) -> None:
    store = await opener.open()
    builder = await finished(store, attempts=SLICE_FRAMES // 3 + 10)
    other = await finished(store)
    all_of_it = await firsts(store, builder)
    assert len(all_of_it) > SLICE_FRAMES
    after = max(builder.now, other.now) + 1
    first = await store.compact("default", after)
    assert first.more
    store = await opener.open()
    left = await firsts(store, builder)
    assert len(all_of_it) - len(left) <= SLICE_FRAMES
    assert await oldest(store, builder) in (left[0], builder.batch.head + 1) if left else True
    await compacted(store, "default", after)
    assert await firsts(store, builder) == await firsts(store, other) == []
    await opener.close()


async def test_a_slice_by_its_bytes(store: Store) -> None:
    builder = Builder()
    keys = [f"p{number}" for number in range(7)]
    await submitted(store, builder, builder.submit([judged(key) for key in keys]))
    await commit(store, builder.dispatch(*keys))
    for key in keys:
        await commit(store, builder.succeed(key, result=f'"{"x" * 1_000_000}"'))
    before = await firsts(store, builder)
    one = await store.compact(None, builder.now + 1)
    assert (one.batches, one.more) == (0, True)
    left = await firsts(store, builder)
    assert 0 < len(left) < len(before)
    assert await oldest(store, builder) == left[0] == one.events + 1
    assert len(before) - len(left) == 4  # two small ones, and two of a megabyte
    await compacted(store, None, builder.now + 1)
    assert await firsts(store, builder) == []


async def test_what_goes_on_numbers_its_events_on(store: Store) -> None:
    builder = Builder()
    await submitted(store, builder, builder.submit([judged("a")]))
    await commit(store, builder.dispatch("a"), builder.fail("a"))
    await compacted(store, None, builder.now + 1)
    head = builder.batch.head
    assert not (await commit(store, builder.retry("a"))).lost
    assert await firsts(store, builder) == [head + 1]
    assert await oldest(store, builder) == head + 1
    assert await store.compactable(None, builder.now + 1) == (0, 0, False)
    await commit(store, builder.dispatch("a"), builder.succeed("a"))
    assert (await store.compact(None, builder.now + 1)).events == builder.batch.head - head
    assert await firsts(store, builder) == []


async def test_times_of_events_that_are_gone_are_not_those_of_later_ones(store: Store) -> None:
    builder = Builder()
    await submitted(store, builder, builder.submit([judged("a")]))
    await commit(store, builder.dispatch("a"), builder.fail("a"))
    await store.commit_record_times([(builder.batch.number, builder.batch.head, 7)])
    await compacted(store, None, builder.now + 1)
    await commit(store, builder.retry("a"))
    await store.commit_record_times([(builder.batch.number, builder.batch.head, 8)])
    await commit(store, builder.dispatch("a"), builder.succeed("a"))
    await store.commit_record_times([(builder.batch.number, builder.batch.head, 9)])
    view = await store.get_proposal("default", builder.batch.id, "a")
    assert view is not None
    assert view.record_times == {2: 9}
