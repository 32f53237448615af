"""Texts: kept as they came, compared byte by byte; and those that a database does not like."""

import pytest

from orchestrator_svc.ports.store import Session
from tests.support.batches import START, Builder, judged
from tests.support.stores import WholeStore, commit, submitted, taken

ODD = "Ünï\U0001f600 \\u0000 \t\n\x01'\"%s:name $1"
NUL = "a\x00b"
SHOWN = ("a\x00b", "a\N{SYMBOL FOR NULL}b")


@pytest.mark.parametrize("count", [1, 100])
async def test_odd_ones_come_back(store: WholeStore, count: int) -> None:
    builder = Builder()
    keys = [f"p{number}" for number in range(count)]
    calls = [judged(key, title=ODD, labels={ODD: ODD}) for key in keys]
    await submitted(store, builder, builder.submit(calls))
    await commit(store, builder.dispatch(*keys))
    await commit(store, builder.succeed(*keys, result=f'"{ODD}"'))
    for proposal in (await taken(store, builder)).proposals:
        assert (proposal.title, proposal.labels) == (ODD, {ODD: ODD})
        assert proposal.result == f'"{ODD}"'


@pytest.mark.parametrize("count", [1, 100])
async def test_a_nul_is_kept_or_shown(store: WholeStore, count: int) -> None:
    """PostgreSQL has none in its texts."""
    builder = Builder()
    calls = [judged(f"p{number}", title=NUL, labels={NUL: NUL}) for number in range(count)]
    await submitted(store, builder, builder.submit(calls))
    view = await store.get_proposal("default", builder.batch.id, "p0")
    assert view is not None
    assert view.proposal.title in SHOWN
    assert view.proposal.labels == {NUL: NUL}, "in JSON it is an escape"


async def test_what_is_looked_for_may_have_one(store: WholeStore) -> None:
    assert await store.get_batch("default", NUL) is None
    assert await store.get_session(NUL, NUL) is None
    assert await store.find_request("default", NUL) is None


async def test_order_is_that_of_the_bytes(store: WholeStore) -> None:
    """Not of a language: pages would skip what two databases put elsewhere."""
    for name in ("b", "B", "_a", "é", "a-b", "ab"):
        assert await store.create_session(Session(name, "default", "", "", {}, 1, START, START))
    pages: list[str] = []
    before = None
    while page := await store.list_sessions("default", before, 2):
        pages += [session.id for session, _ in page]
        before = (START, pages[-1])
    assert pages == ["é", "b", "ab", "a-b", "_a", "B"]
