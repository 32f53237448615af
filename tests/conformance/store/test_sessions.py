"""Sessions: made, listed, updated once a revision, and what happens in them."""

import asyncio
from dataclasses import replace

from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import Request, Session, SessionStatistics, Store
from tests.support.batches import Builder, judged
from tests.support.stores import WholeStore, commit, submitted


def session(id_: str, create_time: int = 100, tenant: str = "default") -> Session:
    return Session(id_, tenant, "A title", '{"desk":"bonds"}', {"team": "a"}, 1, create_time, create_time)


async def test_one_of_an_id(store: Store) -> None:
    assert await store.create_session(session("s1"))
    assert not await store.create_session(replace(session("s1"), title="Another"))
    assert await store.create_session(session("s1", tenant="other"))
    assert await store.get_session("default", "s1") == (session("s1"), SessionStatistics(0, 0, 0, 0))


async def test_one_comes_with_its_request_or_neither_does(store: Store) -> None:
    made = Request("r1", "CreateSession", b"hash", b"s1", {})
    assert await store.create_session(session("s1"), made)
    assert await store.find_request("default", "r1") == made
    assert not await store.create_session(session("s2"), made), "that request is done"
    assert await store.get_session("default", "s2") is None
    assert not await store.create_session(session("s1"), replace(made, request_id="r2"))
    assert await store.find_request("default", "r2") is None
    assert await store.create_session(session("s2"), replace(made, request_id="r2"))
    assert await store.create_session(session("s1", tenant="other"), made)


async def test_of_one_request_at_two_orchestrators_at_once_one_is_made(one: WholeStore, two: WholeStore) -> None:
    for number in range(20):
        request = Request(f"r{number}", "CreateSession", b"hash", b"", {})
        names = [f"{number}-{place}" for place in range(2)]
        made = await asyncio.gather(
            *[store.create_session(session(name), request) for store, name in zip((one, two), names, strict=True)]
        )
        assert sorted(made) == [False, True]
        assert [await one.get_session("default", name) is not None for name in names] == made
        same = [
            store.create_session(session(f"{number}-2"), replace(request, request_id=f"{number}-{place}"))
            for place, store in enumerate((two, one))
        ]
        assert sorted(await asyncio.gather(*same)) == [False, True]


async def test_an_update_needs_the_revision_that_stands(store: Store) -> None:
    await store.create_session(session("s1"))
    changed = replace(session("s1"), title="New", context="{}", labels={}, update_time=200)
    assert await store.update_session(changed, 1)
    assert not await store.update_session(changed, 1)
    assert not await store.update_session(replace(changed, id="unknown"), 1)
    found = await store.get_session("default", "s1")
    assert found is not None
    assert found[0] == replace(changed, revision=2)


async def test_an_update_comes_with_its_request_or_neither_does(store: Store) -> None:
    await store.create_session(session("s1"))
    asked = Request("r1", "UpdateSession", b"hash", b"{}", {})
    assert not await store.update_session(replace(session("s1"), title="New"), 7, asked), "not the revision that stands"
    assert await store.find_request("default", "r1") is None
    assert await store.update_session(replace(session("s1"), title="New"), 1, asked)
    assert await store.find_request("default", "r1") == asked
    assert not await store.update_session(replace(session("s1"), title="Again"), 2, asked), "that request is done"
    found = await store.get_session("default", "s1")
    assert found is not None
    assert (found[0].title, found[0].revision) == ("New", 2)


async def test_of_one_update_at_two_orchestrators_at_once_one_is_made(one: WholeStore, two: WholeStore) -> None:
    await one.create_session(session("s1"))
    for revision in range(1, 21):
        asked = Request(f"r{revision}", "UpdateSession", b"hash", b"{}", {})
        changed = [store.update_session(session("s1"), revision, asked) for store in (one, two)]
        assert sorted(await asyncio.gather(*changed)) == [False, True]


async def test_an_update_leaves_the_batches_numbers(store: Store) -> None:
    builder = Builder(session_id="s1")
    await submitted(store, builder, builder.submit([judged("a")]))
    found = await store.get_session("default", "s1")
    assert found is not None
    await store.update_session(replace(found[0], title="New"), found[0].revision)
    later = Builder(session_id="s1")
    await submitted(store, later, later.submit([judged("a")]))
    assert later.batch.session_no == 2


async def test_one_that_was_made_first_is_the_batches(store: Store) -> None:
    await store.create_session(session("s1"))
    builder = Builder(session_id="s1")
    await submitted(store, builder, builder.submit([judged("a")]))
    found = await store.get_session("default", "s1")
    assert builder.batch.session_no == 1
    assert found is not None
    assert found[0] == session("s1")


async def test_statistics(store: Store) -> None:
    builders = [Builder(session_id="s1") for _ in range(2)]
    for builder in builders:
        items = [judged("a"), judged("b", tier=Tier.SOFT), judged("c", tier=Tier.HARD)]
        await submitted(store, builder, builder.submit(items))
    done = Builder(session_id="s1")
    await submitted(store, done, done.submit([judged("a")]))
    await commit(store, done.dispatch("a"), done.succeed("a"), builders[0].approve("b"))
    found = await store.get_session("default", "s1")
    assert found is not None
    assert found[1] == SessionStatistics(batches=3, unfinished_batches=2, proposals=7, pending_decisions=3)
    assert await store.list_sessions("default", None, 10) == [found]


async def test_statistics_of_what_grows(store: Store) -> None:
    """A large submission counts when it is there; what is added to an open batch counts as well."""
    large = Builder(session_id="s1")
    *parts, last = large.submit([judged(f"p{number}") for number in range(300)]).parts()
    for part in parts:
        await commit(store, part)
    found = await store.get_session("default", "s1")
    assert found is not None
    assert found[1] == SessionStatistics(0, 0, 0, 0)
    await commit(store, last)
    builder = Builder(session_id="s1")
    builder.batch.open = True
    await submitted(store, builder, builder.submit([judged("a")]))
    await commit(store, builder.add([judged("b"), judged("c", tier=Tier.SOFT)]))
    found = await store.get_session("default", "s1")
    assert found is not None
    assert found[1] == SessionStatistics(2, 2, 303, 1)


async def test_newest_first_in_pages(store: Store) -> None:
    for id_, created in (("a", 100), ("b", 300), ("c", 200), ("d", 200)):
        await store.create_session(session(id_, created))
    await store.create_session(session("x", 250, tenant="other"))
    first = [item.id for item, _ in await store.list_sessions("default", None, 2)]
    second = [item.id for item, _ in await store.list_sessions("default", (200, "d"), 2)]
    assert (first, second) == (["b", "d"], ["c", "a"])
    assert await store.list_sessions("default", (100, "a"), 2) == []
