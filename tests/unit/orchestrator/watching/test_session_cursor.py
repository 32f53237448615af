"""Where a stream over a session's batches stands."""

from collections.abc import Sequence

import pytest

from orchestrator_svc.application.tokens import SessionCursor, decode_cursor
from orchestrator_svc.application.watch import Item, Until
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.store import BatchHead
from shared.kernel.errors import OutOfRangeError
from tests.support.engine_world import spec, started
from tests.support.interrupted_store import InterruptedStore
from tests.support.replicas import events
from tests.support.world import CALLER, World


def head(sequence: int, state: BatchState, reopened_after: int = 0) -> BatchHead:
    return BatchHead(7, sequence, state, "s", 1, reopened_after, 1)


def test_a_batch_that_is_finished_and_seen_leaves_it() -> None:
    cursor = SessionCursor("mark")
    ended = head(32, BatchState.SUCCEEDED)
    cursor.advance(ended, 30)
    assert (cursor.open, cursor.after(ended)) == ({1: 30}, 30)
    cursor.advance(ended, 32)
    assert (cursor.open, cursor.highest) == ({}, 1)


def test_one_that_goes_on_afterwards_is_seen_from_there() -> None:
    cursor = SessionCursor("mark")
    cursor.advance(head(32, BatchState.SUCCEEDED), 32)
    again = head(40, BatchState.RUNNING, reopened_after=32)
    assert cursor.after(again) == 32
    cursor.advance(again, 40)
    assert cursor.open == {1: 40}


def test_one_that_went_on_between_its_head_and_its_events_is_not_seen_twice() -> None:
    cursor = SessionCursor("mark")
    cursor.advance(head(32, BatchState.SUCCEEDED), 35)
    assert cursor.after(head(40, BatchState.RUNNING, reopened_after=32)) == 35


async def test_one_whose_end_came_between_its_head_and_its_events_leaves_it() -> None:
    store = InterruptedStore()
    world = World(store.whole)
    async with started(world):
        batch_id = await world.run(spec("pay", "a"), session_id="s")
        store.before["read_frames"] = lambda: world.cancel.batch(CALLER, batch_id, "", None)
        cursor = SessionCursor("mark")
        items = [item async for item in world.watch.session("default", "s", cursor, Until.FINISHED, None)]
    assert len(items) == 2
    assert cursor.open == {}


async def test_events_that_go_between_a_head_and_its_events_leave_a_token_that_goes_on() -> None:
    store = InterruptedStore()
    world = World(store.whole)
    async with started(world) as replica:
        gone = await world.run(spec("read", "a"), session_id="s")
        replica.release()
        await world.settle()
        held = await world.run(spec("note", "b"), session_id="s")
        store.before["read_frames"] = lambda: store.whole.compact("default", world.clock.time_ns() + 1)
        with pytest.raises(OutOfRangeError, match="EVENTS_COMPACTED") as refused:
            await _seen(world, "")
        assert refused.value.metadata["batch_id"] == gone
        seen = await _seen(world, refused.value.metadata["session_token"])
        assert {event.batch_id for item in seen for event in events(item)} == {held}


async def _seen(world: World, token: str) -> Sequence[Item]:
    cursor = decode_cursor(token, "session_token", "default", "s")
    return [item async for item in world.watch.session("default", "s", cursor, Until.BLOCKED, None)]
