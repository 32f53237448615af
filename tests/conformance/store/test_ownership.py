"""Whose a batch is: one with something to do is a start's, any other is nobody's; taken, due, and let go."""

import asyncio

from orchestrator_svc.domain.cancelling import cancel_batch
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Effect, FailureClass, KnownEffect, Tier
from orchestrator_svc.ports.ownership import Elsewhere
from tests.support.batches import MINUTE, START, AnyArguments, Builder, broken, judged
from tests.support.stores import Opener, WholeStore, commit, submitted, taken, taken_due

FIRST, ONE = "incarnation-1", "one-1"


async def busy(store: WholeStore, incarnation: str = FIRST) -> Builder:
    """Something of it is ready to run."""
    builder = Builder(incarnation=incarnation)
    return await submitted(store, builder, builder.submit([judged("a"), judged("b", tier=Tier.HARD)]))


async def waiting(store: WholeStore, incarnation: str = FIRST, minutes: int = 30) -> Builder:
    """For a person alone."""
    builder = Builder(incarnation=incarnation)
    items = [judged(key, tier=Tier.HARD, approval_deadline=minutes * MINUTE) for key in ("a", "b")]
    return await submitted(store, builder, builder.submit(items))


async def idle(store: WholeStore, incarnation: str = FIRST) -> Builder:
    builder = Builder(incarnation=incarnation)
    builder.batch.open = True
    return await submitted(store, builder, builder.submit([]))


async def elsewhere(store: WholeStore, builder: Builder) -> str:
    found = await store.take(builder.tenant, builder.batch.id, AnyArguments())
    assert isinstance(found, Elsewhere), found
    return found.incarnation


# -- taking


async def test_who_takes_a_batch_has_it(store: WholeStore) -> None:
    builder = await busy(store)
    loaded = await taken(store, builder)
    assert (loaded.epoch, loaded.incarnation, loaded.owned) == (builder.batch.epoch + 1, FIRST, True)

    assert (await commit(store, builder.dispatch("a"))).lost == {builder.batch.id}
    changes = loaded.begin(builder.now, 0.0)
    changes.touch(loaded.proposals[0])
    assert not (await commit(store, loaded.conclude(changes))).lost


async def test_another_start_that_lives_keeps_what_is_its_own(one: WholeStore, two: WholeStore) -> None:
    builder = await busy(one, ONE)
    assert await elsewhere(two, builder) == ONE
    assert not (await commit(one, builder.dispatch("a"))).lost
    assert await two.take("default", "no such batch", AnyArguments()) is None


async def test_what_waits_for_people_is_anybodys(one: WholeStore, two: WholeStore) -> None:
    builder = await waiting(one, ONE)
    loaded = await taken(two, builder)
    assert (loaded.epoch, loaded.incarnation) == (builder.batch.epoch + 1, "two-1")
    committed = await commit(one, builder.approve("a"))
    assert (committed.lost, committed.unwritable) == ({builder.batch.id}, set())
    assert await elsewhere(one, builder) == "two-1"


async def test_who_had_it_last_goes_on_without_taking_it(one: WholeStore, two: WholeStore) -> None:
    builder = await waiting(one, ONE)
    epoch = builder.batch.epoch
    assert not (await commit(one, builder.approve("a"))).lost
    assert await elsewhere(two, builder) == ONE, "there is something to do again"
    assert (await taken(one, builder)).epoch == epoch + 1


async def test_what_becomes_nobodys_may_be_taken(one: WholeStore, two: WholeStore) -> None:
    builder = await busy(one, ONE)
    await commit(one, builder.dispatch("a"))
    assert await elsewhere(two, builder) == ONE
    await commit(one, builder.succeed("a"))
    assert (await taken(two, builder)).incarnation == "two-1"
    assert (await commit(one, builder.approve("b"))).lost == {builder.batch.id}


async def test_one_that_is_finished_is_nobodys(one: WholeStore, two: WholeStore) -> None:
    builder = await waiting(one, ONE)
    await commit(one, builder.reject("a", "b"))
    assert await one.next_wake() is None, "it has nothing to wake for"
    assert (await taken(two, builder)).state.finished


async def test_an_outcome_that_is_not_known_keeps_its_owner(one: WholeStore, two: WholeStore) -> None:
    builder = Builder(incarnation=ONE)
    await submitted(one, builder, builder.submit([judged("a", effect=Effect.NON_IDEMPOTENT)]))
    await commit(one, builder.dispatch("a"))
    await commit(one, builder.fail("a", failure=broken(FailureClass.UNAVAILABLE, KnownEffect.POSSIBLE)))
    assert builder.batch.state is BatchState.BLOCKED
    assert await elsewhere(two, builder) == ONE


async def test_a_batch_that_nobody_can_see_is_its_writers(one: WholeStore, two: WholeStore) -> None:
    builder = Builder(incarnation=ONE)
    parts = builder.submit([judged(f"p{n}", tier=Tier.HARD) for n in range(300)]).parts()
    for part in parts[:-1]:
        await commit(one, part)
        assert await two.take("default", builder.batch.id, AnyArguments()) is None
        assert await two.next_wake() is None
    assert not (await commit(one, parts[-1])).lost
    assert await two.next_wake() == builder.batch.next_expiry
    await taken(two, builder)


async def test_one_that_was_nobodys_goes_on_and_may_be_so_again(store: WholeStore) -> None:
    builder = await waiting(store)
    for key in "ab":
        assert not (await commit(store, builder.approve(key))).lost
        assert not (await commit(store, builder.dispatch(key))).lost
        assert not (await commit(store, builder.succeed(key))).lost
    assert (await taken(store, builder)).state.finished


# -- whether it is still so


async def test_a_copy_is_still_so_until_somebody_writes_or_takes_it(one: WholeStore, two: WholeStore) -> None:
    builder = await waiting(one, ONE)
    assert await one.still(builder.batch)
    changes = builder.approve("a")
    assert not await one.still(builder.batch), "its head is not on record"
    await commit(one, changes)
    assert await one.still(builder.batch)
    assert not await two.still(builder.batch), "it is another's"
    other = await waiting(one, ONE)
    await taken(two, other)
    assert not await one.still(other.batch)


# -- what is due


async def test_due_ones_come_by_their_time_and_once_only(one: WholeStore, two: WholeStore) -> None:
    builders = [await waiting(one, ONE, minutes) for minutes in (30, 10, 20)]
    times = [builder.batch.next_expiry or 0 for builder in builders]
    assert await two.next_wake() == times[1]
    assert await two.take_due(times[1] - 1, AnyArguments()) == []

    found = await taken_due(two, times[2])
    assert [batch.id for batch in found] == [builders[1].batch.id, builders[2].batch.id]
    assert [batch.next_expiry for batch in found] == [times[1], times[2]]
    assert await taken_due(one, times[2]) == []
    assert await one.next_wake() == times[0]
    assert (await commit(one, builders[1].expire("a"))).lost == {builders[1].batch.id}


async def test_each_is_taken_by_one_only_however_many_ask(one: WholeStore, two: WholeStore) -> None:
    builders = [await waiting(one, ONE) for _ in range(100)]
    found = await asyncio.gather(*(taken_due(store) for store in (one, two) for _ in range(2)))
    ids = [batch.id for some in found for batch in some]
    assert sorted(ids) == sorted(builder.batch.id for builder in builders)


async def test_a_large_one_comes_alone(store: WholeStore) -> None:
    for count in (1, 1_500, 600):
        builder = Builder()
        items = [judged(f"p{n}", tier=Tier.HARD) for n in range(count)]
        await commit(store, *builder.submit(items).parts())
    sizes = [len(batch.proposals) for batch in await store.take_due(START + 60 * MINUTE, AnyArguments())]
    assert sizes == [1, 1_500]
    sizes = [len(batch.proposals) for batch in await store.take_due(START + 60 * MINUTE, AnyArguments())]
    assert sizes == [600]


async def test_an_idle_one_is_due_at_its_end(store: WholeStore) -> None:
    builder = await idle(store)
    end = builder.batch.idle_end
    assert await store.next_wake() == end
    (batch,) = await taken_due(store)
    assert batch.idle_end == end


async def test_what_has_an_owner_is_never_due(one: WholeStore, two: WholeStore) -> None:
    builder = await waiting(one, ONE)
    await commit(one, builder.approve("a"))
    assert await two.next_wake() is None
    assert await taken_due(two) == []
    await commit(one, builder.dispatch("a"))
    await commit(one, builder.succeed("a"))
    assert await two.next_wake() == builder.batch.wake_time


# -- letting go


async def test_what_is_let_go_is_due_where_there_is_something_to_do(one: WholeStore, two: WholeStore) -> None:
    builders = [await busy(one, ONE), await waiting(one, ONE), await idle(one, ONE)]
    loaded = [await taken(one, builder) for builder in builders]
    now = START + MINUTE
    await one.let_go(loaded, now)
    assert [batch.id for batch in await taken_due(two, now)] == [builders[0].batch.id]
    assert await two.next_wake() == builders[2].batch.idle_end
    found = await taken_due(two)
    assert [batch.id for batch in found] == [builders[2].batch.id, builders[1].batch.id]
    assert [found[0].idle_end, found[1].next_expiry] == [builders[2].batch.idle_end, builders[1].batch.next_expiry]


async def test_what_leaves_the_memory_with_an_unknown_outcome_is_due_for_the_next_look(
    one: WholeStore, two: WholeStore
) -> None:
    builder = Builder(incarnation=ONE)
    await submitted(one, builder, builder.submit([judged("a", effect=Effect.NON_IDEMPOTENT)]))
    await commit(one, builder.dispatch("a"))
    await commit(one, builder.fail("a", failure=broken(FailureClass.UNAVAILABLE, KnownEffect.POSSIBLE)))
    changes = builder.begin()
    cancel_batch(builder.batch, changes, "user:ann", "enough", MINUTE)
    await commit(one, builder.batch.conclude(changes))
    assert (builder.batch.state, builder.batch.owned) == (BatchState.PARTIAL, True)
    now, look = START + MINUTE, START + 2 * MINUTE
    builder.batch.look_time = look
    await one.let_go([builder.batch], now)
    assert await two.next_wake() == look
    assert await taken_due(two, look - 1) == []
    (found,) = await taken_due(two, look)
    assert (found.id, found.look_time) == (builder.batch.id, None)
    assert await elsewhere(one, builder) != ONE


async def test_what_another_has_by_now_is_not_let_go(one: WholeStore, two: WholeStore) -> None:
    taken_away, moved = await waiting(one, ONE), await busy(one, ONE)
    await taken(two, taken_away)
    await commit(one, moved.dispatch("a"))
    moved.batch.head -= 1
    await one.let_go([taken_away.batch, moved.batch], START)
    assert await elsewhere(one, taken_away) == "two-1"
    assert await elsewhere(two, moved) == ONE


# -- starts


async def test_where_one_may_write_a_start_ends_those_before(store: WholeStore, opener: Opener) -> None:
    running, done, quiet, open_one = await busy(store), await busy(store), await waiting(store), await idle(store)
    await commit(store, done.dispatch("a"))
    await commit(store, done.succeed("a"), done.reject("b"))
    kept = await taken(store, open_one)
    store = await opener.restart()

    assert (await commit(store, running.dispatch("a"))).lost == {running.batch.id}
    found = await taken_due(store, 0)
    assert [batch.id for batch in found] == [running.batch.id]
    assert found[0].incarnation == opener.opened[-1]
    assert [batch.id for batch in await taken_due(store)] == [open_one.batch.id, quiet.batch.id]
    assert kept.idle_end == open_one.batch.idle_end
    assert (await store.renew()).others == []
