"""A store that takes no commits: callers are told in time and honestly, and nothing of their work is forgotten."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.caller import RequestKey
from orchestrator_svc.application.decide import DecisionSpec
from orchestrator_svc.application.submit import BatchSpec
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.domain.states import OnInvalid
from shared.kernel.errors import UnavailableError
from shared.kernel.tasks import Supervisor
from tests.support.engine_world import keys, ok, spec, started
from tests.support.held_store import HeldStore
from tests.support.world import CALLER, SETTINGS, World

PATIENCE = SETTINGS.store_patience


@pytest.fixture
def store() -> HeldStore:
    return HeldStore(MemoryStore(ProtobufEventCodec()))


@pytest.fixture
def world(store: HeldStore) -> World:
    return World(store.port)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still: so does the store's next try not take real time."""
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(f"orchestrator_svc.application.engine.recorder.{name}", 0)


def key(number: int, kind: str) -> RequestKey:
    return RequestKey(f"00000000-0000-4000-8000-{number:012}", kind, b"p")


async def submit(world: World, number: int = 1) -> str:
    """Two calls, so that one waits for the other where there is one slot."""
    batch = BatchSpec(proposals=[spec("read", "a"), spec("read", "b")])
    prepared = await world.submit.submit(CALLER, batch, key(number, "SubmitBatch"))
    return prepared.batch_id


async def told(work: Coroutine[Any, Any, Any], world: World) -> UnavailableError:
    """It is told that its outcome is not known yet, when its patience is over and not before."""
    async with Supervisor() as tasks:
        task = tasks.start(work, "caller")
        await world.settle()
        await world.advance(PATIENCE - 0.1)
        assert not task.done()
        await world.advance(0.1)
        assert task.done()
        error = task.exception()
        assert isinstance(error, UnavailableError)
        return error


def check_honest(error: UnavailableError) -> None:
    assert error.reason == "STORE_UNAVAILABLE"
    assert "not known yet" in error.message
    assert error.retry_after


@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_a_submission_is_told_and_lives_once_the_store_is_back(world: World, store: HeldStore, how: str) -> None:
    async with started(world, slots=1) as replica:
        store.away = how == "fails"
        if how == "hangs":
            store.hold()
        check_honest(await told(submit(world), world))
        assert world.engine.recorder.stalled
        assert replica.received == []
        with pytest.raises(UnavailableError, match="STORE_UNAVAILABLE"):
            await submit(world)
        store.away = False
        store.release()
        await world.settle()
        assert not world.engine.recorder.stalled
        assert keys(replica.held) == ["a/1"], "it lives, and runs"
        batch_id = await submit(world)
        assert replica.held == [f"{batch_id}/a/1"], "the same request gets the true answer"
        for _ in range(2):
            replica.release()
            await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}


async def test_one_that_comes_while_how_long_it_took_is_written_is_told_too(
    world: World, store: HeldStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, back = asyncio.Event(), asyncio.Event()

    async def hangs(times: object) -> None:
        began.set()
        await back.wait()

    monkeypatch.setattr("orchestrator_svc.application.engine.recorder.RECORD_TIMES_AFTER", 0.001)
    monkeypatch.setattr(store, "commit_record_times", hangs, raising=False)
    async with started(world) as replica:
        await world.run(spec("read", "first"))
        await began.wait()
        check_honest(await told(submit(world), world))
        assert world.engine.recorder.stalled
        back.set()
        await world.settle()
        assert not world.engine.recorder.stalled
        assert keys(replica.held) == ["first/1", "a/1", "b/1"]


async def test_a_decision_is_told_and_stands_once_the_store_is_back(world: World, store: HeldStore) -> None:
    async with started(world) as replica:
        batch_id = await world.run(spec("pay", "a"))
        digest = (await world.proposal(f"{batch_id}/a")).decidable_digest
        decision = DecisionSpec(f"{batch_id}/a", Verdict.APPROVE, digest=digest)
        store.away = True
        request = key(1, "DecideProposals")
        check_honest(await told(world.decide.decide(CALLER, [decision], False, request), world))
        assert replica.received == []
        store.away = False
        await world.settle()
        assert keys(replica.held) == ["a/1"]
        (answer,) = await world.decide.decide(CALLER, [decision], False, request)
        assert answer.kind is None
        assert len((await world.proposal(f"{batch_id}/a")).decisions) == 1


async def test_what_is_asked_again_is_not_done_twice(world: World, store: HeldStore) -> None:
    async with started(world):
        batch_id = await world.run(spec("read", "a"), open=True)
        request = key(1, "AddProposals")

        def add() -> Coroutine[Any, Any, Any]:
            return world.add.add(CALLER, batch_id, [spec("read")], OnInvalid.REFUSE, False, request)

        store.away = True
        check_honest(await told(add(), world))
        with pytest.raises(UnavailableError) as again:
            await add()
        check_honest(again.value)
        store.away = False
        await world.settle()
        added = await add()
        assert (added.first, added.count) == (2, 1)
        assert len(await world.states(batch_id)) == 2


async def test_of_a_caller_that_has_gone_the_next_one_gets_the_answer(world: World, store: HeldStore) -> None:
    async with started(world), Supervisor() as tasks:
        batch_id = await world.run(spec("read", "a"), open=True)
        request = key(1, "AddProposals")

        def add() -> Coroutine[Any, Any, Any]:
            return world.add.add(CALLER, batch_id, [spec("read")], OnInvalid.REFUSE, False, request)

        store.hold()
        gone = tasks.start(add(), "gone")
        await world.settle()
        gone.cancel()
        again = tasks.start(add(), "again")
        await world.settle()
        assert not again.done()
        store.release()
        added = await again
        assert (added.first, added.count) == (2, 1)
        assert {*(await world.states(batch_id))} == {"a", "p2"}


async def test_while_it_fails_a_command_changes_nothing(world: World, store: HeldStore) -> None:
    async with started(world) as replica, Supervisor() as tasks:
        batch_id = await world.run(spec("read", "a"), spec("pay", "b"))
        store.away = True
        replica.end(replica.held[0], ok())
        await world.settle()
        cancelling = tasks.start(world.cancel.batch(CALLER, batch_id, "", None), "cancel")
        await world.settle()
        assert cancelling.done()
        refused = cancelling.exception()
        assert isinstance(refused, UnavailableError)
        assert "not known" not in refused.message
        store.away = False
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "PROPOSED"}


async def test_a_shutdown_does_not_wait_for_a_store_that_takes_nothing(world: World, store: HeldStore) -> None:
    async with started(world), Supervisor() as tasks:
        store.away = True
        tasks.start(submit(world), "submit")
        await world.settle()
        world.engine.drain()
        drained = tasks.start(world.engine.recorder.drain(), "drain")
        await world.settle()
        await world.advance(PATIENCE - 0.1)
        assert not drained.done()
        await world.advance(0.1)
        assert drained.done()


async def test_a_new_batch_that_is_refused_leaves_its_slots(world: World, store: HeldStore) -> None:
    async with started(world, slots=1) as replica:
        store.lose = lambda write: write.created
        with pytest.raises(UnavailableError, match="BATCH_LOST"):
            await submit(world)
        store.lose = lambda write: False
        await submit(world, 2)
        await world.settle()
        assert keys(replica.held) == ["a/1"]


async def test_a_process_that_stood_still_does_not_blame_the_store(world: World, store: HeldStore) -> None:
    """Stopped and continued: by the clock the commit took too long, but its end is there at the next look."""
    async with started(world, slots=1), Supervisor() as tasks:
        store.hold()
        task = tasks.start(submit(world), "caller")
        await world.settle()
        await world.advance(PATIENCE + 60)
        store.release()
        await world.settle()
        assert await task
        assert not world.engine.recorder.stalled
