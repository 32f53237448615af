"""Requests: remembered in the transaction that they caused, with the answers of their commands."""

import asyncio

import pytest

from orchestrator_svc.domain.changes import Changes, CommandRecord
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import Request, Store
from shared.kernel.clock import SystemClock
from tests.support.batches import Builder, judged
from tests.support.stores import WholeStore, commit, submitted, taken

DECIDE = ("DecideProposals", b"hash")
OTHERS = [("CancelProposals", b"hash"), ("DecideProposals", b"other")]
"""Of what kind, and with what payload, another request may be."""


def commanded(changes: Changes, request_id: str, answer: bytes, request: tuple[str, bytes] = DECIDE) -> Changes:
    changes.command = CommandRecord(request_id, *request, answer)
    return changes


async def asked(store: Store, tenant: str = "default", incarnation: str = "incarnation-1") -> Builder:
    builder = Builder(tenant=tenant, incarnation=incarnation)
    items = [judged("a", tier=Tier.SOFT), judged("b", tier=Tier.SOFT)]
    return await submitted(store, builder, builder.submit(items))


async def test_a_command_is_remembered_with_its_answer(store: Store) -> None:
    builder = await asked(store)
    await commit(store, commanded(builder.approve("a"), "r1", b"\x00yes"))
    assert await store.find_request("default", "r1") == Request(
        "r1", "DecideProposals", b"hash", b"", {builder.batch.id: b"\x00yes"}
    )


async def test_one_request_over_several_batches(store: Store) -> None:
    builders = [await asked(store) for _ in range(3)]
    claim = Request("r1", "DecideProposals", b"hash", b"chosen", {})
    assert await store.claim_request("default", claim, 5) is None
    first, second, third = [commanded(item.approve("a"), "r1", bytes([n])) for n, item in enumerate(builders)]
    assert not (await commit(store, first, second)).lost
    assert not (await commit(store, third)).lost

    found = await store.find_request("default", "r1")
    assert found is not None
    assert found.chosen == b"chosen"
    assert found.answers == {item.batch.id: bytes([n]) for n, item in enumerate(builders)}


async def test_several_are_found_at_once(store: Store) -> None:
    """Those of the tenant that are there, each with all of its answers."""
    first, second, foreign = await asked(store), await asked(store), await asked(store, "other")
    await commit(store, commanded(first.approve("a"), "r1", b"1"), commanded(second.approve("a"), "r1", b"2"))
    await commit(store, commanded(first.approve("b"), "r2", b"3"), commanded(foreign.approve("a"), "r3", b"4"))
    claim = Request("r4", "SoftConfirm", b"other", b"chosen", {})
    assert await store.claim_request("default", claim, 5) is None

    found = await store.find_requests("default", ["r4", "r3", "r2", "r1", "r0"])
    assert found == {name: await store.find_request("default", name) for name in ("r1", "r2", "r4")}
    assert found["r1"].answers == {first.batch.id: b"1", second.batch.id: b"2"}
    assert await store.find_requests("default", []) == {}


async def answers(store: Store, request_id: str = "r1") -> dict[str, bytes]:
    found = await store.find_request("default", request_id)
    assert found is not None
    return found.answers


async def head(store: Store, builder: Builder) -> int:
    view = await store.get_batch("default", builder.batch.id)
    assert view is not None
    return view.head


async def test_a_batch_answers_a_request_once(store: WholeStore) -> None:
    """That says nothing of the batch: it goes on from what is on record."""
    builder, other = await asked(store), await asked(store)
    await commit(store, commanded(builder.approve("a"), "r1", b"first"))
    before = builder.batch.head
    again, sound = commanded(builder.approve("b"), "r1", b"second"), other.approve("a")
    committed = await commit(store, sound, again)

    assert (committed.lost, committed.unwritable) == ({builder.batch.id}, set())
    assert await answers(store) == {builder.batch.id: b"first"}
    assert (await head(store, builder), await head(store, other)) == (before, other.batch.head)
    builder.batch = await taken(store, builder)
    assert not (await commit(store, commanded(builder.approve("b"), "r2", b"second"))).lost


async def test_nor_does_it_twice_in_one_commit(store: Store) -> None:
    builder = await asked(store)
    before = builder.batch.head
    twice = [commanded(builder.approve(key), "r1", b"yes") for key in ("a", "b")]
    committed = await commit(store, *twice)
    assert (committed.lost, committed.unwritable) == ({builder.batch.id}, set())
    assert await store.find_request("default", "r1") is None
    assert await head(store, builder) == before


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("together", [False, True])
async def test_an_id_is_of_one_request(store: Store, other: tuple[str, bytes], together: bool) -> None:
    """Whichever is first; of another one nothing is written, nor of what comes with it."""
    first, second, sound = await asked(store), await asked(store), await asked(store)
    before = second.batch.head
    one = commanded(first.approve("a"), "r1", b"1")
    another = [second.approve("a"), commanded(second.approve("b"), "r1", b"2", other)]
    if together:
        committed = await commit(store, one, *another, sound.approve("a"))
    else:
        assert not (await commit(store, one)).lost
        committed = await commit(store, *another, sound.approve("a"))

    assert (committed.lost, committed.unwritable) == ({second.batch.id}, set())
    found = await store.find_request("default", "r1")
    assert found == Request("r1", *DECIDE, b"", {first.batch.id: b"1"})
    assert (await head(store, second), await head(store, sound)) == (before, sound.batch.head)


@pytest.mark.parametrize("other", OTHERS)
async def test_one_that_was_claimed_is_of_that_request(store: Store, other: tuple[str, bytes]) -> None:
    first, second = await asked(store), await asked(store)
    assert await store.claim_request("default", Request("r1", *DECIDE, b"chosen", {}), 5) is None
    committed = await commit(store, commanded(first.approve("a"), "r1", b"1", other))
    assert (committed.lost, committed.unwritable) == ({first.batch.id}, set())
    assert not (await commit(store, commanded(second.approve("a"), "r1", b"2"))).lost
    assert await answers(store) == {second.batch.id: b"2"}


@pytest.mark.parametrize("other", OTHERS)
async def test_so_it_is_where_two_orchestrators_record_at_once(
    one: WholeStore, two: WholeStore, other: tuple[str, bytes]
) -> None:
    for number in range(20):
        request = f"r{number}"
        mine, others = await asked(one, incarnation="one-1"), await asked(two, incarnation="two-1")
        committed = await asyncio.gather(
            commit(one, commanded(mine.approve("a"), request, b"1")),
            commit(two, commanded(others.approve("a"), request, b"2", other)),
        )
        assert not committed[0].unwritable | committed[1].unwritable
        lost = committed[0].lost | committed[1].lost
        assert lost in ({mine.batch.id}, {others.batch.id})
        assert {*await answers(one, request)} == {mine.batch.id, others.batch.id} - lost


async def test_several_commands_of_one_batch_in_one_commit(store: Store) -> None:
    builder = await asked(store)
    await commit(store, commanded(builder.approve("a"), "r1", b"1"), commanded(builder.approve("b"), "r2", b"2"))
    for request_id, answer in (("r1", b"1"), ("r2", b"2")):
        found = await store.find_request("default", request_id)
        assert found is not None
        assert found.answers == {builder.batch.id: answer}


async def test_a_submission_and_what_follows_it_in_one_commit(store: Store) -> None:
    builder = Builder()
    builder.batch.open = True
    first = commanded(builder.submit([judged("a")]), "r1", b"1")
    second = commanded(builder.add([judged("b")]), "r2", b"2")
    assert not (await commit(store, first, second)).lost
    for request_id in ("r1", "r2"):
        found = await store.find_request("default", request_id)
        assert found is not None
        assert list(found.answers) == [builder.batch.id]


async def test_a_command_without_changes_is_remembered(store: Store) -> None:
    builder = await asked(store)
    assert not (await commit(store, commanded(builder.batch.conclude(builder.begin()), "r1", b"nothing"))).lost
    assert await store.find_request("default", "r1") is not None


async def test_a_claim_finds_what_was_there(store: Store) -> None:
    builder = await asked(store)
    await commit(store, commanded(builder.approve("a"), "r1", b"1"))
    earlier = await store.claim_request("default", Request("r1", "Other", b"other", b"x", {}), 5)
    assert earlier is not None
    assert (earlier.kind, earlier.payload_hash, earlier.answers) == (
        "DecideProposals",
        b"hash",
        {builder.batch.id: b"1"},
    )


async def test_old_ones_are_forgotten(store: Store) -> None:
    for number in range(3):
        await store.claim_request("default", Request(f"r{number}", "k", b"h", b"", {}), number)
    assert await store.forget_requests(2) == 2
    assert await store.find_request("default", "r1") is None
    assert await store.find_request("default", "r2") is not None
    assert await store.forget_requests(2) == 0


async def test_the_age_of_a_command_is_that_of_its_commit(store: Store) -> None:
    builder = await asked(store)
    a_minute_ago = SystemClock().time_ns() - 60_000_000_000
    await commit(store, commanded(builder.approve("a"), "r1", b"1"))
    assert await store.forget_requests(a_minute_ago) == 0


async def test_with_their_answers(store: Store) -> None:
    builder = await asked(store)
    await commit(store, commanded(builder.approve("a"), "r1", b"1"))
    assert await store.forget_requests(1 << 62) == 1
    assert await store.claim_request("default", Request("r1", "k", b"h", b"", {}), 5) is None
    found = await store.find_request("default", "r1")
    assert found is not None
    assert found.answers == {}
