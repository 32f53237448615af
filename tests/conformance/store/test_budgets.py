"""What is read is what its reader has room for: proposals from the first on, results that fit beside each other."""

import pytest

from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import Store
from orchestrator_svc.ports.views import ProposalView
from tests.support.batches import Builder, judged
from tests.support.stores import EVERYTHING, commit, submitted


def text(size: int) -> str:
    """JSON of so many bytes."""
    return '"' + "x" * (size - 2) + '"'


async def ended(store: Store, *sizes: int, arguments: str = "{}") -> Builder:
    """A batch of proposals `p0`, `p1`... with results of these sizes."""
    builder = Builder()
    keys = [f"p{number}" for number in range(len(sizes))]
    items = [judged(key, arguments=arguments, title="a title", labels={"x": "1"}) for key in keys]
    await submitted(store, builder, builder.submit(items))
    await commit(store, builder.dispatch(*keys))
    for key, size in zip(keys, sizes, strict=True):
        await commit(store, builder.succeed(key, result=text(size)))
    return builder


def results(views: list[ProposalView]) -> list[int]:
    """Sizes; 0: not read, -1: there is none."""
    return [0 if view.result_omitted else len(view.proposal.result or "") or -1 for view in views]


async def full(store: Store, builder: Builder, limit_bytes: int) -> list[str]:
    found = await store.get_batch_full("default", builder.batch.id, limit_bytes)
    assert found is not None
    assert found[0].counts == tuple(builder.batch.counts)
    assert all(view.proposal.result and not view.result_omitted for view in found[1])
    return [view.proposal.key for view in found[1]]


async def answers(
    store: Store, builder: Builder, limit_bytes: int, result_bytes: int, only: set[str] | None = None
) -> list[ProposalView]:
    found = await store.get_batch_answers("default", builder.batch.id, limit_bytes, result_bytes, only)
    assert found is not None
    assert found[0].counts == tuple(builder.batch.counts)
    return found[1]


@pytest.mark.parametrize(
    ("limit_bytes", "expected"),
    [(0, ["p0"]), (50_000, ["p0"]), (65_000, ["p0", "p1"]), (EVERYTHING, ["p0", "p1", "p2", "p3"])],
)
async def test_proposals_from_the_first_one_on(store: Store, limit_bytes: int, expected: list[str]) -> None:
    builder = await ended(store, 30_000, 30_000, 30_000, 10)
    assert await full(store, builder, limit_bytes) == expected


async def test_arguments_count_as_well(store: Store) -> None:
    builder = await ended(store, 10, 10, 10, arguments='{"x":' + text(30_000) + "}")
    assert await full(store, builder, 65_000) == ["p0", "p1"]


async def test_bytes_count_not_characters(store: Store) -> None:
    builder = Builder()
    await submitted(store, builder, builder.submit([judged("a"), judged("b")]))
    await commit(store, builder.dispatch("a", "b"), builder.succeed("a", "b", result='"' + "€" * 10_000 + '"'))
    assert results(await answers(store, builder, EVERYTHING, 59_000)) == [10_002, 0]
    assert await full(store, builder, 59_000) == ["a"]


@pytest.mark.parametrize(
    ("result_bytes", "expected"),
    [
        (0, [0, 0, 0, 0]),
        (10, [0, 0, 0, 10]),
        (300, [300, 0, 0, 0]),
        (510, [300, 0, 200, 10]),
        (EVERYTHING, [300, 400, 200, 10]),
    ],
)
async def test_results_that_fit_beside_those_before(store: Store, result_bytes: int, expected: list[int]) -> None:
    builder = await ended(store, 300, 400, 200, 10)
    assert results(await answers(store, builder, EVERYTHING, result_bytes)) == expected


async def test_an_answer_is_without_what_it_does_not_show(store: Store) -> None:
    builder = Builder()
    items = [
        judged("a", arguments='{"x":1}', title="t", labels={"y": "2"}),
        judged("b", arguments='{"x":{"$from":"a"}}', tier=Tier.HARD, agent="risk"),
        judged("c", tier=Tier.HARD),
        judged("d"),
    ]
    await submitted(store, builder, builder.submit(items))
    await commit(store, builder.dispatch("a"), builder.reject("c"), builder.dispatch("d"), builder.fail("d"))
    one, two, three, four = await answers(store, builder, EVERYTHING, EVERYTHING)
    for view in (one, two, three, four):
        proposal = view.proposal
        assert (proposal.arguments, proposal.bound_arguments, proposal.original_arguments) == ("", "", "")
        assert (proposal.title, proposal.labels, view.record_times) == ("", {}, {})
        assert (proposal.result, view.result_omitted) == (None, False)
    assert (one.proposal.state, len(one.proposal.attempts)) == (ProposalState.RUNNING, 1)
    assert (two.proposal.agent, two.waiting_for, two.proposal.digest) == (
        "risk",
        ["a"],
        builder.batch.proposals[1].digest,
    )
    assert three.proposal.decisions == builder.batch.proposals[2].decisions
    assert four.proposal.failure == builder.batch.proposals[3].failure


async def test_only_what_it_is_about_takes_room(store: Store) -> None:
    builder = await ended(store, 300, 300, 300)
    found = await answers(store, builder, 1, 300, {"p1"})
    assert [view.proposal.key for view in found] == ["p1"]
    assert results(found) == [300]
    assert await answers(store, builder, EVERYTHING, EVERYTHING, set()) == []


async def test_answers_are_cut_too_and_one_there_is_at_least(store: Store) -> None:
    """More of them than are read in one go."""
    builder = Builder()
    keys = ["k" * 100 + str(number) for number in range(1_100)]
    await submitted(store, builder, builder.submit([judged(key) for key in keys]))
    found = await answers(store, builder, EVERYTHING, EVERYTHING)
    assert [view.proposal.key for view in found] == keys
    some = await answers(store, builder, 110_000, EVERYTHING)
    assert [view.proposal.key for view in some] == keys[: len(some)]
    assert 512 < len(some) < 700
    assert len(await answers(store, builder, 0, 0)) == 1


async def test_keys_alone(store: Store) -> None:
    builder = await ended(store, 10, 10, 10)
    assert await store.proposal_keys("default", builder.batch.id, 2) == ["p0", "p1"]
    assert await store.proposal_keys("default", builder.batch.id, 9) == ["p0", "p1", "p2"]
    assert await store.proposal_keys("default", "unknown", 9) == []
    assert await store.proposal_keys("other", builder.batch.id, 9) == []
    assert await store.get_batch_answers("other", builder.batch.id, 9, 9) is None
