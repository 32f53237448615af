"""How far executors' journals stood, as recorded with what they said."""

from orchestrator_svc.ports.store import Store
from tests.support.batches import Builder, judged
from tests.support.stores import Opener, commit, submitted


async def one(store: Store) -> Builder:
    builder = Builder()
    return await submitted(store, builder, builder.submit([judged("a"), judged("b")]))


async def test_the_highest_of_each_executor_is_kept(store: Store) -> None:
    assert await store.journal_positions() == {}
    first, second = await one(store), await one(store)
    changes = [first.dispatch("a"), first.dispatch("b"), second.dispatch("a")]
    for change, (executor_id, position) in zip(changes, [("x", 5), ("x", 7), ("y", 1)], strict=True):
        change.saw_position(executor_id, position)
    changes[2].saw_position("x", 6)
    await commit(store, *changes)
    assert await store.journal_positions() == {"x": 7, "y": 1}
    late = first.succeed("a")
    late.saw_position("x", 2)
    late.saw_position("y", 0)
    await commit(store, late)
    assert await store.journal_positions() == {"x": 7, "y": 1}, "they never fall"


async def test_they_outlive_the_start_that_recorded_them(store: Store, opener: Opener) -> None:
    builder = await one(store)
    change = builder.dispatch("a")
    change.saw_position("x", 1 << 60)
    await commit(store, change)
    await opener.close()
    assert await (await opener.open()).journal_positions() == {"x": 1 << 60}


async def test_what_is_lost_moves_none(store: Store) -> None:
    builder = await one(store)
    await commit(store, builder.dispatch("a"))
    builder.batch.head -= 1
    stale = builder.succeed("a")
    stale.saw_position("x", 9)
    assert (await commit(store, stale)).lost
    assert await store.journal_positions() == {}
