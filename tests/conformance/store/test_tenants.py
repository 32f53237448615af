"""Tenants never meet: the same ids, twice, and each look-up finds its own."""

import pytest

from orchestrator_svc.domain.changes import CommandRecord
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import Request, Session
from orchestrator_svc.ports.views import ProposalFilter
from tests.support.batches import AnyArguments, Builder, judged
from tests.support.stores import EVERYTHING, WholeStore, commit, listed, listed_batches, submitted, taken

ALL = tuple(ProposalState)


@pytest.fixture
async def twins(store: WholeStore) -> tuple[Builder, Builder]:
    """Tenants a and b, each with one batch of the same id in a session of the same id, made by the same request."""
    a, b = Builder(tenant="a", session_id="s"), Builder(tenant="b", session_id="s")
    b.batch.id = a.batch.id
    for builder in (a, b):
        command = CommandRecord("r1", "SubmitBatch", b"hash", builder.tenant.encode())
        items = [judged(f"of-{builder.tenant}", tier=Tier.SOFT)]
        await submitted(store, builder, builder.submit(items, command))
    return a, b


async def test_batches(store: WholeStore, twins: tuple[Builder, Builder]) -> None:
    for builder in twins:
        tenant, batch_id = builder.tenant, builder.batch.id
        view = await store.get_batch(tenant, batch_id)
        head = await store.batch_head(tenant, batch_id)
        full = await store.get_batch_full(tenant, batch_id, EVERYTHING)
        batch = await taken(store, builder)
        assert view is not None
        assert head is not None
        assert full is not None
        assert (view.tenant, view.number, head.number) == (tenant, builder.batch.number, builder.batch.number)
        assert [item.proposal.key for item in full[1]] == [f"of-{tenant}"]
        assert (batch.tenant, list(batch.by_key)) == (tenant, [f"of-{tenant}"])
        assert [item.number for item in await listed_batches(store, tenant=tenant)] == [view.number]
        assert await store.session_heads(tenant, "s", 0, [1]) == [(batch_id, head)]


async def test_proposals(store: WholeStore, twins: tuple[Builder, Builder]) -> None:
    for builder, other in (twins, reversed(twins)):
        tenant, batch_id = builder.tenant, builder.batch.id
        mine, theirs = f"of-{tenant}", f"of-{other.tenant}"
        assert await store.get_proposal(tenant, batch_id, theirs) is None
        view = await store.get_proposal(tenant, batch_id, mine)
        assert view is not None
        assert view.tenant == tenant
        for where in (ProposalFilter(), ProposalFilter(states=ALL), ProposalFilter(session_id="s", batch_id=batch_id)):
            assert [item.proposal.key for item in await listed(store, where, tenant)] == [mine]
        assert [item.key for item in await store.soft_candidates(tenant, "s", 0)] == [mine]


async def test_sessions(store: WholeStore, twins: tuple[Builder, Builder]) -> None:
    changed = Session("s", "a", "Changed", "{}", {}, 1, 5, 5)
    assert await store.update_session(changed, 1)
    a, b = await store.get_session("a", "s"), await store.get_session("b", "s")
    assert a is not None
    assert b is not None
    assert (a[0].title, b[0].title) == ("Changed", "")
    assert (a[1].batches, b[1].batches) == (1, 1)
    assert [item.tenant for item, _ in await store.list_sessions("a", None, 9)] == ["a"]


async def test_requests(store: WholeStore, twins: tuple[Builder, Builder]) -> None:
    for builder in twins:
        found = await store.find_request(builder.tenant, "r1")
        assert found is not None
        assert found.answers == {builder.batch.id: builder.tenant.encode()}
    assert await store.claim_request("c", Request("r1", "k", b"", b"", {}), 1) is None


async def test_a_stranger_finds_nothing(store: WholeStore, twins: tuple[Builder, Builder]) -> None:
    batch_id = twins[0].batch.id
    assert await store.get_batch("c", batch_id) is None
    assert await store.get_batch_full("c", batch_id, EVERYTHING) is None
    assert await store.batch_head("c", batch_id) is None
    assert await store.take("c", batch_id, AnyArguments()) is None
    assert await store.get_proposal("c", batch_id, "of-a") is None
    assert await store.session_heads("c", "s", 0, [1]) == []
    assert await listed_batches(store, tenant="c") == []
    assert await listed(store, ProposalFilter(states=ALL), "c") == []
    assert await store.soft_candidates("c", "s", 0) == []
    assert await store.get_session("c", "s") is None
    assert await store.list_sessions("c", None, 9) == []
    assert await store.find_request("c", "r1") is None


async def test_taking_one_takes_only_that_one(store: WholeStore, twins: tuple[Builder, Builder]) -> None:
    a, b = twins
    await taken(store, a)
    assert not (await commit(store, b.approve("of-b"))).lost
    assert (await commit(store, a.approve("of-a"))).lost == {a.batch.id}


async def test_many_moves_in_one_commit(store: WholeStore) -> None:
    """So many that a store may write them otherwise than one: each stays its tenant's, and what did not move stays."""
    builders = [Builder(tenant=tenant, session_id="s") for tenant in ("a", "b")]
    keys = [f"p{number:02}" for number in range(40)]
    for builder in builders:
        await submitted(store, builder, builder.submit([judged(key, tier=Tier.SOFT) for key in keys]))
    await commit(store, *[builder.expire(key) for builder in builders for key in keys[:38]])
    await commit(store, *[builder.retry(*keys[1:37]) for builder in builders])
    for builder in builders:
        asked = await listed(store, ProposalFilter(), builder.tenant)
        wanted = [*keys[1:37], *keys[38:]]
        assert sorted((item.tenant, item.proposal.key) for item in asked) == [(builder.tenant, key) for key in wanted]
        found = await store.get_batch_full(builder.tenant, builder.batch.id, EVERYTHING)
        assert found is not None
        expired = [item.proposal.key for item in found[1] if item.proposal.state is ProposalState.EXPIRED]
        assert ([item.proposal.key for item in found[1]], expired) == (keys, ["p00", "p37"])
