"""Pruning goes round by round, and a round slice by slice: nobody waits for its end."""

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.caller import Caller
from orchestrator_svc.application.prune import PruneEvents
from orchestrator_svc.ports.store import SLICE_FRAMES
from shared.kernel.errors import InvalidError
from tests.support.batches import Builder, judged
from tests.support.clock import ManualClock
from tests.support.stores import commit, submitted

CALLER = Caller("default", "user:ann")
HOUR = 3_600_000_000_000


@pytest.fixture
async def store() -> MemoryStore:
    """One finished batch, of two slices and a bit."""
    store, builder = MemoryStore(ProtobufEventCodec()), Builder()
    await submitted(store, builder, builder.submit([judged("a")]))
    for _ in range(2 * SLICE_FRAMES // 3):
        await commit(store, builder.dispatch("a"))
        await commit(store, builder.fail("a"))
        await commit(store, builder.retry("a"))
    await commit(store, builder.dispatch("a"), builder.succeed("a"))
    return store


async def test_a_round_is_answered_done_or_not(store: MemoryStore) -> None:
    clock = ManualClock()
    clock.advance(60)
    prune = PruneEvents(store, clock, round_seconds=0)
    everything = await prune.prune(CALLER, 0, dry_run=True)
    rounds = [await prune.prune(CALLER, 0, dry_run=False) for _ in range(3)]
    assert [one.more for one in rounds] == [True, True, False]
    assert [one.batches for one in rounds] == [0, 0, 1]
    assert sum(one.events for one in rounds) == everything.events
    assert (await prune.prune(CALLER, 0, dry_run=True)).events == 0


async def test_as_many_slices_as_there_is_time(store: MemoryStore) -> None:
    clock = ManualClock()
    clock.advance(60)
    assert (await PruneEvents(store, clock).prune(CALLER, 0, dry_run=False))[::2] == (1, False)


async def test_by_the_age_of_its_end(store: MemoryStore) -> None:
    clock = ManualClock()
    clock.advance(3600)
    prune = PruneEvents(store, clock)
    assert (await prune.prune(CALLER, HOUR, dry_run=False)).events == 0
    clock.advance(60)
    assert (await prune.prune(CALLER, HOUR, dry_run=False)).batches == 1


async def test_without_an_age_nothing_goes(store: MemoryStore) -> None:
    prune = PruneEvents(store, ManualClock())
    with pytest.raises(InvalidError):
        await prune.prune(CALLER, None, dry_run=False)
    await prune.run()  # no policy: it has nothing to do
    assert (await store.compactable(None, 1 << 62)).batches == 1
