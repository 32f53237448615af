"""Leases: who lives, who has ended, and that nobody who has ended writes anything."""

import asyncio
from collections.abc import Awaitable

import pytest

from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.commands import SentCommand
from orchestrator_svc.ports.ownership import Lease
from orchestrator_svc.ports.store import KEEP_STARTS, Request, Session
from shared.kernel.errors import PreconditionError, UnavailableError
from tests.support.batches import MINUTE, START, AnyArguments, Builder, judged
from tests.support.stores import Opener, WholeStore, commit, submitted, taken, taken_due

ONE = "one-1"
LONG_AFTER = START + KEEP_STARTS + 1


async def lease_of(other: WholeStore, incarnation: str = ONE) -> Lease:
    """As somebody else sees it."""
    (lease,) = [lease for lease in (await other.renew()).others if lease.incarnation == incarnation]
    return lease


async def busy(store: WholeStore) -> Builder:
    builder = Builder(incarnation=ONE)
    return await submitted(store, builder, builder.submit([judged("a")]))


async def test_who_is_alone_sees_no_other(store: WholeStore) -> None:
    first, second = await store.renew(), await store.renew()
    assert (first.others, second.others) == ([], [])
    assert first.time <= second.time


async def test_a_counter_grows_with_each_renewal(one: WholeStore, two: WholeStore) -> None:
    before = await lease_of(two)
    assert await lease_of(two) == before, "nobody else's renewal moves it"
    await one.renew()
    assert (await lease_of(two)).counter > before.counter


async def test_who_lives_is_not_ended(one: WholeStore, two: WholeStore) -> None:
    builder, lease = await busy(one), await lease_of(two)
    await one.renew()
    assert not await two.supersede(lease)
    assert not await two.supersede(Lease("nobody", 0))
    assert not (await commit(one, builder.dispatch("a"))).lost


async def test_what_an_ended_start_had_is_due_at_once(one: WholeStore, two: WholeStore) -> None:
    running, quiet = await busy(one), Builder(incarnation=ONE)
    await submitted(one, quiet, quiet.submit([judged("x", tier=Tier.HARD)]))
    idle = Builder(incarnation=ONE)
    idle.batch.open = True
    await submitted(one, idle, idle.submit([]))
    for builder in (quiet, idle):
        await taken(one, builder)
    mine = Builder(incarnation="two-1")
    await submitted(two, mine, mine.submit([judged("a")]))
    assert await two.supersede(await lease_of(two))

    assert {batch.id for batch in await taken_due(two, 0)} == {running.batch.id, quiet.batch.id}
    assert await two.next_wake() == idle.batch.idle_end, "it has nothing to do before"
    assert (await two.renew()).others == []
    assert not (await commit(two, mine.dispatch("a"))).lost, "its own are untouched"


async def test_it_is_ended_once(one: WholeStore, two: WholeStore) -> None:
    await busy(one)
    lease = await lease_of(two)
    assert await two.supersede(lease)
    assert not await two.supersede(lease)


async def test_what_it_never_published_goes(one: WholeStore, two: WholeStore) -> None:
    mine, theirs = Builder(incarnation="two-1"), Builder(incarnation=ONE)
    parts, others = [each.submit([judged(f"p{n}") for n in range(200)]).parts() for each in (mine, theirs)]
    await commit(two, parts[0])
    await commit(one, others[0])
    assert await two.supersede(await lease_of(two))

    assert await two.read_frames(theirs.batch.number, 0, 1) == []
    assert not (await commit(two, parts[1])).lost, "another's submission under way goes on"


def writes(store: WholeStore, builder: Builder) -> list[tuple[str, Awaitable[object]]]:
    session = Session("s", "default", "", "", {}, 1, START, START)
    batch, new = builder.batch, Builder(incarnation=ONE)
    command = SentCommand("default", batch.id, "r", "Decide", b"", b"{}", "user:ann", ONE)
    return [
        ("commit", commit(store, builder.dispatch("a"))),
        ("commit of a new one", commit(store, new.submit([judged("x")]))),
        ("commit_record_times", store.commit_record_times([(batch.number, 1, 1)])),
        ("create_session", store.create_session(session)),
        ("update_session", store.update_session(session, 1)),
        ("claim_request", store.claim_request("default", Request("r", "k", b"", b"", {}), START)),
        ("forget_requests", store.forget_requests(START)),
        ("compact", store.compact(None, START)),
        ("take", store.take("default", batch.id, AnyArguments())),
        ("take_due", store.take_due(START + 60 * MINUTE, AnyArguments())),
        ("let_go", store.let_go([batch], START)),
        ("supersede", store.supersede(Lease("two-1", 0))),
        ("send", store.send([command], START)),
        ("refuse", store.refuse([(command, b"{}")])),
        ("withdraw", store.withdraw([command.id])),
        ("forget_commands", store.forget_commands(START)),
    ]


@pytest.mark.parametrize("by", ["another", "itself", "another, and is forgotten"])
async def test_an_ended_start_writes_nothing(
    openers: tuple[Opener, Opener], one: WholeStore, two: WholeStore, by: str
) -> None:
    builder = await busy(one)
    if by == "itself":
        await one.end()
        await one.end()
    else:
        assert await two.supersede(await lease_of(two))
    if by == "another, and is forgotten":
        two = await openers[1].open(LONG_AFTER)
        assert ONE not in await openers[1].starts()
    before = await two.get_batch("default", builder.batch.id)
    for name, write in writes(one, builder):
        refusal = (await asyncio.gather(write, return_exceptions=True))[0]
        assert isinstance(refusal, UnavailableError), name
        assert "another orchestrator has taken over" in refusal.message
    with pytest.raises(PreconditionError) as caught:
        await one.renew()
    assert caught.value.reason == "STORE_TAKEN"
    assert await two.get_batch("default", builder.batch.id) == before
    assert await two.get_session("default", "s") is None
    assert (await taken(two, builder)).incarnation == openers[1].opened[-1]


async def test_a_start_that_is_forgotten_ends_itself_in_vain(
    openers: tuple[Opener, Opener], one: WholeStore, two: WholeStore
) -> None:
    builder, lease = await busy(one), await lease_of(two)
    assert await two.supersede(lease)
    later = await openers[1].open(LONG_AFTER)
    (batch,) = await taken_due(later, 0)
    assert batch.id == builder.batch.id
    assert not await later.supersede(lease)
    await one.end()
    assert await later.still(batch)


async def test_starts_that_live_or_ended_not_long_ago_stay_on_record(
    openers: tuple[Opener, Opener], one: WholeStore, two: WholeStore
) -> None:
    assert await two.supersede(await lease_of(two))
    await openers[1].open(LONG_AFTER - 1)
    assert await openers[1].starts() == {ONE, "two-1", "two-2"}
    await openers[1].open(LONG_AFTER)
    assert await openers[1].starts() == {"two-1", "two-2", "two-3"}, "two-1 was never ended"


async def test_where_one_alone_may_work_all_but_the_last_are_forgotten_in_the_end(opener: Opener) -> None:
    for at in (START, START + 1, LONG_AFTER):
        await opener.restart(at)
    assert await opener.starts() == {"incarnation-2", "incarnation-3"}


async def test_another_start_of_the_same_orchestrator_is_another(
    openers: tuple[Opener, Opener], one: WholeStore, two: WholeStore
) -> None:
    builder = await busy(one)
    again = await openers[0].open()
    assert {lease.incarnation for lease in (await again.renew()).others} == {ONE, "two-1"}
    assert await again.take("default", builder.batch.id, AnyArguments()) == (ONE,)
