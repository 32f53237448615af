"""Arguments are bounded by their bytes, however many or few they are: in a batch, and in what waits for the store."""

import asyncio
import threading
from collections.abc import Awaitable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.engine.grouping import Recording
from orchestrator_svc.application.engine.recorder import MAX_BACKLOG_BYTES, Recorder
from orchestrator_svc.application.judging import JudgingSettings
from orchestrator_svc.application.structure import SLICE, SLICE_WEIGHT, slices
from orchestrator_svc.application.submit import BatchSpec
from orchestrator_svc.domain.proposal import Dependency, ProposalSpec
from orchestrator_svc.domain.states import OnInvalid
from orchestrator_svc.domain.tool import ToolDescriptor
from shared.kernel.errors import ExhaustedError, InvalidError
from tests.support.batches import Builder
from tests.support.clock import ManualClock
from tests.support.engine_world import started
from tests.support.world import CALLER, World

LARGE = '{"x":"' + "é" * 1_000 + '"}'


def large(key: str) -> ProposalSpec:
    return ProposalSpec(tool="read", key=key, arguments=LARGE)


async def test_a_batch_holds_so_many_bytes_of_arguments_and_a_submission_above_it_is_refused():
    world = World()
    world.judging.settings = JudgingSettings(max_batch_arguments=5_000)
    async with started(world):
        with pytest.raises(InvalidError, match="more than 5,000 bytes in all") as caught:
            await world.submit.submit(CALLER, BatchSpec(proposals=[large("a"), large("b"), large("c")]), None)
        assert caught.value.reason == "BATCH_INVALID"
        assert len(world.live) == 0


async def test_heavy_arguments_are_looked_at_beside_the_loop_and_light_ones_on_it(monkeypatch: pytest.MonkeyPatch):
    world, on_loop = World(), dict[str, bool]()
    find = world.catalogue.find

    def seen(name: str, version: str) -> ToolDescriptor:
        on_loop[name] = threading.current_thread() is threading.main_thread()
        return find(name, version)

    monkeypatch.setattr(world.catalogue, "find", seen)
    heavy = ProposalSpec(tool="read", key="a", arguments='{"x":"' + "y" * 40_000 + '"}')
    light = ProposalSpec(tool="note", key="b", arguments="{}")
    async with started(world):
        await world.submit.submit(CALLER, BatchSpec(proposals=[heavy, light]), None)
    assert on_loop == {"read": False, "note": True}


async def test_an_open_batch_does_not_grow_beyond_it():
    world = World()
    world.judging.settings = JudgingSettings(max_batch_arguments=5_000)
    async with started(world):
        held = await world.submit.submit(CALLER, BatchSpec(proposals=[large("a")], open=True), None)
        await world.add.add(CALLER, held.batch_id, [large("b")], OnInvalid.REFUSE, False, None)
        with pytest.raises(InvalidError, match="more than 5,000 bytes in all"):
            await world.add.add(CALLER, held.batch_id, [large("c")], OnInvalid.REFUSE, False, None)
        batch = world.live.get(held.batch_id)
        assert batch is not None
        assert batch.argument_bytes == 2 * len(LARGE.encode())


@given(st.lists(st.integers(0, 2 * SLICE_WEIGHT) | st.integers(0, 600), max_size=400))
def test_a_slice_holds_so_many_proposals_and_so_many_bytes(weights: list[int]):
    runs = list(slices(weights))
    assert [position for run in runs for position in run] == list(range(len(weights)))
    for run in runs:
        assert 1 <= len(run) <= SLICE
        assert len(run) == 1 or sum(weights[position] for position in run) <= SLICE_WEIGHT


async def turns_meanwhile(work: Awaitable[object]) -> int:
    """How often others of the loop have their turn."""
    turns = 0

    async def neighbour() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(neighbour())
    with suppress(InvalidError):
        await work
    other.cancel()
    return turns


@pytest.mark.parametrize(
    "proposals",
    [
        [ProposalSpec(tool="read", key=f"k{n}", arguments='{"x":"' + "x" * 60_000 + '"}') for n in range(30)],
        [ProposalSpec(tool="read", key=f"k{n}", depends_on=(Dependency("k0"),) * 2_000) for n in range(60)],
    ],
    ids=["large arguments", "many dependencies"],
)
async def test_a_few_heavy_proposals_leave_the_others_their_turns(proposals: list[ProposalSpec]):
    world = World()
    async with started(world):
        judging = world.judging.judge(proposals, OnInvalid.REFUSE, {}, "items")
        assert await turns_meanwhile(judging) >= 30


async def test_bytes_that_wait_for_the_store_are_too_many_as_rows_are():
    recorder = Recorder(MemoryStore(ProtobufEventCodec()), ManualClock(), lambda _: None, lambda _: None, 1_000, 3.0)
    for _ in range(4):
        changes = Builder().begin()
        changes.bytes = MAX_BACKLOG_BYTES // 4
        recorder.record(Recording(changes))
        recorder.check_capacity()
    changes = Builder().begin()
    changes.bytes = 1
    recorder.record(Recording(changes))
    with pytest.raises(ExhaustedError) as caught:
        recorder.check_capacity()
    assert caught.value.reason == "OVERLOADED"
