"""A batch that is loaded is the batch that was written, whatever it lived through."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.proposal import Proposal, ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Effect, KnownEffect
from tests.support.batches import AnyArguments, Builder, broken, judged
from tests.support.random_batches import Life, proposals, same, waits
from tests.support.stores import Opener, WholeStore, commit, taken

_OTHERWISE = (
    "judge",
    "graph",
    "proposals",
    "by_key",
    "epoch",
    "owned",
    "next_expiry",
    "idle_end",
    "resolution_deadline",
)
_BATCH = [item.name for item in fields(Batch) if item.name not in _OTHERWISE]
_PROPOSAL = [item.name for item in fields(Proposal) if item.name != "open_dependencies"]
# Becoming ready is no fact of its own: it is written with the proposal's next one, and worked out anew after a start.
_UNTIL_DISPATCH = ("ready_time", "next_time")


@pytest.fixture
def running(opener: Opener) -> Iterator[Callable[[Callable[[WholeStore], Awaitable[None]]], None]]:
    """Runs something with one store that is open for all examples."""
    with asyncio.Runner() as runner:
        store = runner.run(opener.open())
        yield lambda work: runner.run(_awaited(work(store)))
        runner.run(opener.close())


async def _awaited(work: Awaitable[None]) -> None:
    await work


def check_same(loaded: Batch, batch: Batch) -> None:
    same(loaded, batch, _BATCH)
    assert (loaded.epoch, loaded.owned) == (batch.epoch + 1, True)
    assert loaded.idle_end == (batch.idle_end if batch.state is BatchState.IDLE else None)
    asked = [each.expire_time for each in batch.proposals if each.state is ProposalState.PROPOSED and each.asked_time]
    assert loaded.next_expiry == min(filter(None, asked), default=None)
    assert list(loaded.by_key) == list(batch.by_key)
    for mine, theirs in zip(loaded.proposals, batch.proposals, strict=True):
        waiting = theirs.state is ProposalState.APPROVED
        same(mine, theirs, [name for name in _PROPOSAL if not (waiting and name in _UNTIL_DISPATCH)])
        assert waits(mine) == waits(theirs), mine.key
        assert loaded.by_key[mine.key] is mine
        assert set(loaded.graph.children(mine.ordinal)) == set(batch.graph.children(mine.ordinal))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_it_equals_the_original(
    running: Callable[[Callable[[WholeStore], Awaitable[None]]], None], data: st.DataObject
) -> None:
    builder = Builder()
    batch = builder.batch
    batch.open, batch.max_in_flight = data.draw(st.booleans()), 2
    batch.deadline = data.draw(st.sampled_from([None, 10**12]))
    batch.labels, batch.name, batch.template, batch.context = {"k": "v"}, "name", "t@1", '{"x":1}'
    batch.trace_parent = data.draw(st.sampled_from(["", "b7ad6b7169203331"]))

    async def live(store: WholeStore) -> None:
        life = Life(builder, data.draw)
        await commit(store, builder.submit(data.draw(proposals())))
        for _ in range(data.draw(st.integers(0, 6))):
            group = [life.step() for _ in range(data.draw(st.integers(1, 3)))]
            if batch.open and data.draw(st.booleans()):
                group.append(builder.add(data.draw(proposals(first=len(batch.proposals), largest=3))))
            assert not (await commit(store, *group)).lost
        check_same(await taken(store, builder), batch)

    running(live)


async def test_one_whose_effect_is_looked_for_the_first_time(store: WholeStore) -> None:
    builder = Builder()
    builder.batch.judge = AnyArguments(looks=True)
    await commit(store, builder.submit([judged("a", effect=Effect.NON_IDEMPOTENT)]), builder.dispatch("a"))
    await commit(store, builder.fail("a", failure=broken(known_effect=KnownEffect.POSSIBLE)))
    assert (builder.batch.looking, builder.batch.state) == (1, BatchState.RUNNING)
    check_same(await taken(store, builder), builder.batch)
