"""What a user's next turn may confirm: found by session, whatever the batch."""

from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import Store
from tests.support.batches import MINUTE, Builder, judged
from tests.support.stores import commit, submitted


async def asked(store: Store, *keys: str, session_id: str = "s", tenant: str = "default") -> Builder:
    builder = Builder(session_id=session_id, tenant=tenant)
    items = [judged(key, tier=Tier.SOFT, agent=f"agent of {key}") for key in keys]
    return await submitted(store, builder, builder.submit([judged("auto"), judged("hard", tier=Tier.HARD), *items]))


async def found(store: Store, since: int = 0) -> list[tuple[str, str]]:
    candidates = await store.soft_candidates("default", "s", since)
    return [(candidate.batch_id, candidate.key) for candidate in candidates]


async def test_all_that_are_pending_by_batch_and_place(store: Store) -> None:
    first, second = await asked(store, "a", "b"), await asked(store, "c")
    await asked(store, "d", session_id="other")
    assert await found(store) == [(first.batch.id, "a"), (first.batch.id, "b"), (second.batch.id, "c")]


async def test_a_candidate_says_where_it_stands(store: Store) -> None:
    await asked(store, "x")
    builder = await asked(store, "a")
    proposal = builder.batch.by_key["a"]
    [_, candidate] = await store.soft_candidates("default", "s", 0)
    assert candidate == (
        builder.batch.id,
        builder.batch.number,
        2,
        proposal.ordinal,
        "a",
        "agent of a",
        ProposalState.PROPOSED,
        proposal.added_sequence,
        proposal.asked_time,
    )


async def test_what_is_decided_is_not_a_candidate(store: Store) -> None:
    builder = await asked(store, "a", "b", "c")
    await commit(store, builder.approve("a"), builder.reject("b"))
    assert await found(store) == [(builder.batch.id, "c")]
    await commit(store, builder.approve("c", edited='{"x":1}'))
    assert await found(store) == []


async def test_what_expired_lately_is_one(store: Store) -> None:
    builder = await asked(store, "a", "b")
    await commit(store, builder.expire("a"))
    finished = builder.batch.by_key["a"].finish_time
    assert finished is not None

    both = [(builder.batch.id, "a"), (builder.batch.id, "b")]
    assert await found(store, finished - MINUTE) == both
    assert await found(store, finished) == both
    assert await found(store, finished + 1) == both[1:]
    [first, _] = await store.soft_candidates("default", "s", finished)
    assert first.state is ProposalState.EXPIRED


async def test_of_a_finished_batch_too(store: Store) -> None:
    builder = Builder(session_id="s")
    await submitted(store, builder, builder.submit([judged("a", tier=Tier.SOFT)]))
    await commit(store, builder.expire("a"))
    assert builder.batch.state.finished
    assert await found(store, builder.now) == [(builder.batch.id, "a")]
    assert await found(store, builder.now + 1) == []
