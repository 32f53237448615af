"""Commits: guarded, whole, and each row once."""

import pytest

from greenlight.orchestrator.v1 import event_pb2
from orchestrator_svc.domain.proposal import ProposalState
from tests.support.batches import Builder, judged, write
from tests.support.stores import WholeStore, commit, sequences, submitted, taken


async def stored_sequences(store: WholeStore, number: int) -> list[int]:
    found: list[int] = []
    for frame in await store.read_frames(number, 0, 1 << 30):
        found += [event.sequence for event in event_pb2.EventFrame.FromString(frame.payload).events]
    return found


async def one(store: WholeStore, *keys: str) -> Builder:
    builder = Builder()
    return await submitted(store, builder, builder.submit([judged(key) for key in keys or ("a",)]))


async def test_events_are_stored_without_a_gap(store: WholeStore) -> None:
    builder = await one(store, "a", "b")
    await commit(store, builder.dispatch("a"), builder.dispatch("b"), builder.succeed("a"))
    await commit(store, builder.succeed("b"))

    assert await stored_sequences(store, builder.batch.number) == list(range(1, builder.batch.head + 1))


async def test_what_a_commit_returns_is_what_it_stored(store: WholeStore) -> None:
    builder = await one(store)
    before = builder.batch.head
    committed = await commit(store, builder.dispatch("a"))

    assert sequences(committed, builder) == [before + 1]
    assert committed.frames[builder.batch.id] == await store.read_frames(builder.batch.number, before, 1)


async def test_several_moves_of_one_proposal_are_one_row_and_all_events(store: WholeStore) -> None:
    builder = await one(store)
    writes = write(builder.dispatch("a"), builder.succeed("a"))
    assert [len(item.records) for item in writes] == [1]
    await store.commit(writes)

    view = await store.get_proposal("default", builder.batch.id, "a")
    assert view is not None
    assert view.proposal.state is ProposalState.SUCCEEDED
    assert await stored_sequences(store, builder.batch.number) == list(range(1, builder.batch.head + 1))


async def test_a_stale_head_is_lost_and_the_others_commit(store: WholeStore) -> None:
    stale, sound = await one(store), await one(store)
    await commit(store, stale.dispatch("a"))
    stale.batch.head -= 1
    again = stale.succeed("a")
    committed = await commit(store, again, sound.dispatch("a"))

    assert committed.lost == {stale.batch.id}
    assert stale.batch.id not in committed.frames
    view = await store.get_proposal("default", stale.batch.id, "a")
    assert view is not None
    assert view.proposal.state is ProposalState.RUNNING
    other = await store.get_proposal("default", sound.batch.id, "a")
    assert other is not None
    assert other.proposal.state is ProposalState.RUNNING


@pytest.mark.parametrize("field", ["epoch", "incarnation", "number"])
async def test_another_owner_is_lost_and_nothing_is_written(store: WholeStore, field: str) -> None:
    builder = await one(store)
    before = await store.get_batch("default", builder.batch.id)
    wrong = {"epoch": 7, "incarnation": "somebody else", "number": 0}
    setattr(builder.batch, field, wrong[field])
    committed = await commit(store, builder.dispatch("a"))

    assert committed.lost == {builder.batch.id}
    assert await store.get_batch("default", builder.batch.id) == before


async def test_a_change_without_events_is_written(store: WholeStore) -> None:
    builder = await one(store)
    await commit(store, builder.dispatch("a"))
    changes = builder.begin()
    proposal = builder.batch.by_key["a"]
    proposal.uncounted = 3
    changes.touch(proposal)
    assert not (await commit(store, builder.batch.conclude(changes))).lost

    view = await store.get_proposal("default", builder.batch.id, "a")
    assert view is not None
    assert view.proposal.uncounted == 3


async def test_later_moves_do_not_reach_what_was_read(store: WholeStore) -> None:
    builder = await one(store)
    loaded = await taken(store, builder)
    loaded.proposals[0].labels["x"] = "y"
    loaded.proposals[0].revision = 99
    loaded.labels["x"] = "y"

    again = await taken(store, builder)
    assert (again.labels, again.proposals[0].labels, again.proposals[0].revision) == ({}, {}, 1)


async def test_a_batch_that_cannot_be_encoded_fails_alone(store: WholeStore, caplog: pytest.LogCaptureFixture) -> None:
    builders = [await one(store) for _ in range(5)]
    changes = [builder.dispatch("a") for builder in builders]
    await commit(store, *changes)
    bad = builders[2]
    finished = [builder.succeed("a", result="\ud800" if builder is bad else "1") for builder in builders]
    committed = await commit(store, *finished)

    assert (committed.lost, committed.unwritable) == (set(), {bad.batch.id})
    assert set(committed.frames) == {builder.batch.id for builder in builders if builder is not bad}
    assert bad.batch.id in caplog.text
    for builder in builders:
        head = await store.batch_head("default", builder.batch.id)
        assert head is not None
        assert (head.head == builder.batch.head) is (builder is not bad)
