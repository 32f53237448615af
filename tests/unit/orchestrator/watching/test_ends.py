"""How streams and WaitBatch end where a batch goes on while the Summary of its end is read."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from google.protobuf import duration_pb2

from greenlight.orchestrator.v1 import batch_pb2, event_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.api.deciding import Deciding
from orchestrator_svc.api.finishing import Finishing
from orchestrator_svc.api.streaming import Stream
from orchestrator_svc.api.use_cases import UseCases
from orchestrator_svc.api.watching import Watching
from orchestrator_svc.application.engine.live import LiveBatches
from orchestrator_svc.application.summaries import Summaries
from orchestrator_svc.domain.tool import RetryPolicy
from tests.support.engine_world import failed, spec, started
from tests.support.interrupted_store import InterruptedStore
from tests.support.world import CALLER, SECOND, World

ONCE = RetryPolicy(1, SECOND, SECOND)


class Written:
    """What a stream sends."""

    def __init__(self) -> None:
        self.frames: list[event_pb2.EventFrame] = []
        self.stream = Stream(cast(Any, self))

    async def send_initial_metadata(self, metadata: object) -> None:
        pass

    async def write(self, message: bytes) -> None:
        self.frames.append(pb.WatchBatchResponse.FromString(message).frame)

    def sequences(self) -> list[int]:
        return [event.sequence for frame in self.frames for event in frame.events]

    @property
    def summary(self) -> batch_pb2.Summary:
        return self.frames[-1].summary


class Scene:
    """A batch of one call that failed; `again` has it tried again while the next Summary is read from the store."""

    def __init__(self, world: World, store: InterruptedStore, replica: Replica, batch_id: str) -> None:
        self.world, self.store, self.replica, self.batch_id = world, store, replica, batch_id
        nothing = LiveBatches(world.store, world.catalogue)
        summaries = Summaries(world.store, nothing, world.executors, world.engine.outlook)
        found = SimpleNamespace(watch=world.watch, summaries=summaries, soft_confirm=world.soft)
        self.uses = cast(UseCases, found)
        self.watching = Watching(self.uses)
        self.gone_on = asyncio.Event()

    def again(self, *, ends: bool = False) -> None:
        """`ends`: and it succeeds before the Summary is read."""

        async def retry() -> None:
            await self.world.retry.retry(CALLER, [f"{self.batch_id}/a"], "", (), "again", None)
            if ends:
                await self.world.settle()
                self.replica.release()
                await self.world.settle()
            self.gone_on.set()

        self.gone_on.clear()
        self.store.before["get_batch_answers"] = retry

    async def until_it_ends(self, task: asyncio.Task[Any]) -> None:
        """The second attempt succeeds; before that nobody is told of an end."""
        await self.gone_on.wait()
        await self.world.settle()
        assert not task.done()
        self.replica.release()
        await task

    async def of_all(self, written: Written) -> None:
        head = (await self.world.batch(self.batch_id)).head
        assert written.sequences()[-1] == head
        assert written.sequences() == list(range(written.sequences()[0], head + 1))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    store = InterruptedStore()
    world = World(store.whole)
    async with started(world) as replica:
        batch_id = await world.run(spec("note", "a", retry=ONCE), session_id="s")
        await world.approve(f"{batch_id}/a")
        replica.end(replica.held[0], failed())
        await world.settle()
        yield Scene(world, store, replica, batch_id)


async def test_a_batchs_stream_goes_on(scene: Scene) -> None:
    written = Written()
    scene.again()
    request = pb.WatchBatchRequest(batch_id=scene.batch_id)
    await scene.until_it_ends(asyncio.create_task(scene.watching.watch_batch(request, CALLER, written.stream)))
    await scene.of_all(written)
    assert written.summary.batch.state == batch_pb2.BATCH_STATE_SUCCEEDED
    assert written.summary.batch.sequence == written.frames[-1].sequence == written.sequences()[-1]
    assert not written.summary.wait_ended


async def test_a_batchs_stream_shows_all_that_its_summary_is_of(scene: Scene) -> None:
    written = Written()
    scene.again(ends=True)
    await scene.watching.watch_batch(pb.WatchBatchRequest(batch_id=scene.batch_id), CALLER, written.stream)
    await scene.of_all(written)
    assert written.summary.batch.sequence == written.sequences()[-1]


async def test_a_sessions_stream_goes_on(scene: Scene) -> None:
    written = Written()
    scene.again()
    request = pb.WatchSessionRequest(session_id="s", until=pb.UNTIL_FINISHED)
    await scene.until_it_ends(asyncio.create_task(scene.watching.watch_session(request, CALLER, written.stream)))
    await scene.of_all(written)
    assert [batch.state for batch in written.summary.batches] == [batch_pb2.BATCH_STATE_SUCCEEDED]


async def test_waiting_goes_on(scene: Scene) -> None:
    scene.again()
    waiting = asyncio.create_task(scene.watching.wait_batch(pb.WaitBatchRequest(batch_id=scene.batch_id), CALLER))
    await scene.until_it_ends(waiting)
    assert waiting.result().summary.batch.state == batch_pb2.BATCH_STATE_SUCCEEDED


async def test_a_users_turn_goes_on(scene: Scene) -> None:
    batch_id = scene.batch_id = await scene.world.run(spec("note", "a", retry=ONCE), session_id="turn")
    written = Written()
    async with asyncio.TaskGroup() as tasks:
        deciding = Deciding(scene.uses, Finishing())
        request = pb.SoftConfirmRequest(session_id="turn", all=True)
        following = tasks.create_task(deciding.soft_confirm(request, CALLER, written.stream))
        await scene.world.settle()
        assert (await scene.world.states(batch_id)) == {"a": "RUNNING"}
        scene.again()
        scene.replica.end(scene.replica.held[0], failed())
        await scene.until_it_ends(following)
    await scene.of_all(written)
    assert [batch.state for batch in written.summary.batches] == [batch_pb2.BATCH_STATE_SUCCEEDED]


async def test_once_its_time_is_over_it_ends_all_the_same_and_says_so(scene: Scene) -> None:
    written = Written()
    at_once = duration_pb2.Duration()
    scene.again()
    request = pb.WatchBatchRequest(batch_id=scene.batch_id, max_wait=at_once)
    await scene.watching.watch_batch(request, CALLER, written.stream)
    assert (written.summary.batch.state, written.summary.wait_ended) == (batch_pb2.BATCH_STATE_RUNNING, True)
    scene.replica.end(scene.replica.held[0], failed())
    await scene.world.settle()
    scene.again()
    waited = await scene.watching.wait_batch(pb.WaitBatchRequest(batch_id=scene.batch_id, max_wait=at_once), CALLER)
    assert (waited.summary.batch.state, waited.summary.wait_ended) == (batch_pb2.BATCH_STATE_RUNNING, True)
