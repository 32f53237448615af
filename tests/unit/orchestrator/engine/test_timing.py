"""Where the time of an attempt went: each second is counted once, and as what it was."""

import asyncio

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.domain.proposal import Timing
from orchestrator_svc.domain.settling import Ending
from tests.support.engine_world import failed, keys, later, ok, spec, started
from tests.support.held_store import HeldStore
from tests.support.world import SECOND, World


def ending(*, queue: int | None, tool: int | None) -> Ending:
    """As an executor says it: seconds that the call waited there, and that its tool took."""
    return Ending(
        "1",
        None,
        executor_queue=None if queue is None else queue * SECOND,
        tool=None if tool is None else tool * SECOND,
    )


async def timing(world: World, proposal_id: str) -> Timing:
    """Of its one attempt."""
    (attempt,) = (await world.proposal(proposal_id)).attempts
    assert attempt.timing is not None
    return attempt.timing


@pytest.mark.parametrize("tool", ["read", "write"])
@pytest.mark.parametrize(
    ("queue", "ran", "wire"),
    [(2, 5, 3), (None, 5, 5), (0, 10, 0), (2, 9, 0), (None, None, None)],
    ids=["of both", "without a queue", "nothing left", "an executor whose clock is fast", "nothing said"],
)
async def test_wire_is_what_the_executor_does_not_account_for(
    tool: str, queue: int | None, ran: int | None, wire: int | None
) -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec(tool, "a"))
        await later(world, 10)
        replica.end(replica.held[0], ending(queue=queue, tool=ran))
        await later(world, 100)
        found = await timing(world, f"{batch_id}/a")
        assert (found.queue_wait, found.wire) == (0, None if wire is None else wire * SECOND)


async def test_recording_an_attempt_before_it_is_sent_is_not_on_the_wire() -> None:
    store = HeldStore(MemoryStore(ProtobufEventCodec()))
    world = World(store.port)
    async with started(world) as replica:
        batch_id = await world.run(spec("pay", "a"))
        store.hold()
        approving = asyncio.ensure_future(world.approve(f"{batch_id}/a"))
        await later(world, 20)
        assert replica.held == []
        store.release()
        await approving
        await later(world, 4)
        replica.end(replica.held[0], ending(queue=0, tool=3))
        await world.settle()
        assert (await timing(world, f"{batch_id}/a")).wire == SECOND


async def test_waiting_for_a_slot_is_the_queues_and_not_the_wires() -> None:
    world = World()
    async with started(world, slots=1) as replica:
        batch_id = await world.run(spec("read", "a"), spec("read", "b"), spec("write", "c"))
        for seconds in (7, 4, 2):
            await later(world, seconds)
            replica.end(replica.held[0], ending(queue=0, tool=1))
            await world.settle()
        found = [await timing(world, f"{batch_id}/{key}") for key in "abc"]
        waits = {(one.queue_wait, one.wire) for one in found}
        assert waits == {(0, 6 * SECOND), (7 * SECOND, 3 * SECOND), (11 * SECOND, 1 * SECOND)}


async def test_the_queue_begins_when_it_is_decided() -> None:
    world = World()
    async with started(world, slots=1) as replica:
        batch_id = await world.run(spec("read", "a"), spec("note", "b"))
        await later(world, 100)
        await world.approve(f"{batch_id}/b")
        await later(world, 5)
        replica.release()
        await world.settle()
        assert keys(replica.held) == ["b/1"]
        assert (await world.proposal(f"{batch_id}/b")).attempts[0].queue_wait == 5 * SECOND


async def test_the_queue_begins_when_its_dependencies_are_done() -> None:
    world = World()
    async with started(world, slots=2) as replica:
        batch_id = await world.run(spec("read", "a"), spec("read", "b"), spec("read", "c", "a"), spec("read", "d"))
        await later(world, 100)
        replica.release(f"{batch_id}/a/1")
        await world.settle()
        assert keys(replica.held) == ["b/1", "d/1"], "the slot goes to one that came before it"
        await later(world, 5)
        replica.release(f"{batch_id}/b/1")
        await world.settle()
        waits = {key: (await world.proposal(f"{batch_id}/{key}")).attempts[0].queue_wait for key in "cd"}
        assert waits == {"c": 5 * SECOND, "d": 100 * SECOND}


async def test_the_queue_begins_when_its_backoff_is_over() -> None:
    world = World()
    async with started(world, slots=1) as replica:
        batch_id = await world.run(spec("read", "a"), spec("read", "b"))
        replica.end(replica.held[0], failed(retry_after=60 * SECOND))
        await later(world, 60)
        assert keys(replica.held) == ["b/1"]
        await later(world, 4)
        replica.end(replica.held[0], ok())
        await world.settle()
        assert keys(replica.held) == ["a/2"]
        assert [a.queue_wait for a in (await world.proposal(f"{batch_id}/a")).attempts] == [0, 4 * SECOND]
