"""Where a stream over a session's batches stands."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.tokens import SessionCursor
from orchestrator_svc.application.watch import Until
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.store import BatchHead
from tests.support.engine_world import spec, started
from tests.support.stores import WholeStore
from tests.support.world import CALLER, World


class Interrupted:
    """A store in which something happens in between, once: before the first events are read."""

    def __init__(self) -> None:
        self._inner = MemoryStore(ProtobufEventCodec())
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def read_frames(self, *arguments: Any) -> Any:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await self._inner.read_frames(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


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
    store = Interrupted()
    world = World(cast(WholeStore, store))
    async with started(world):
        batch_id = await world.run(spec("pay", "a"), session_id="s")
        store.meanwhile = lambda: world.cancel.batch(CALLER, batch_id, "", None)
        cursor = SessionCursor("mark")
        items = [item async for item in world.watch.session("default", "s", cursor, Until.FINISHED, None)]
    assert len(items) == 2
    assert cursor.open == {}
