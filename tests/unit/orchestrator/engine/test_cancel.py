"""Cancelling: what waits ends at once, what runs has a grace, and its own ending counts."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.caller import RequestKey
from orchestrator_svc.domain.proposal import ProposalSpec, ProposalState
from orchestrator_svc.domain.tool import FailureClass, KnownEffect
from shared.kernel.errors import PreconditionError
from shared.kernel.tasks import Supervisor
from tests.support.engine_world import failed, keys, later, ok, spec, started, story
from tests.support.held_store import HeldStore
from tests.support.world import CALLER, SECOND, World


@pytest.fixture
def store() -> HeldStore:
    return HeldStore(MemoryStore(ProtobufEventCodec()))


@pytest.fixture
def world(store: HeldStore) -> World:
    return World(store.port)


@pytest.fixture
async def replica(world: World) -> AsyncGenerator[Replica]:
    async with started(world) as replica:
        replica.stubborn = True
        yield replica


async def cancel(world: World, batch_id: str) -> None:
    await world.cancel.batch(CALLER, batch_id, "enough", None)
    await world.settle()


async def test_what_waits_ends_at_once_and_what_runs_is_told(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("read", "a"), spec("read", "b", "a"), spec("pay", "c"), spec("read", "d", "c?"))
    await cancel(world, batch_id)
    assert (await world.states(batch_id)) == {"a": "RUNNING", "b": "CANCELLED", "c": "CANCELLED", "d": "CANCELLED"}
    assert (await world.batch(batch_id)).state.name == "CANCELLING"
    assert keys(replica.cancelled) == ["a/1"]
    replica.end(replica.held[0], failed(FailureClass.CANCELLED))
    await world.settle()
    assert (await world.batch(batch_id)).state.name == "CANCELLED"


@pytest.mark.parametrize(
    ("ending", "state"),
    [
        (ok(), "SUCCEEDED"),
        (failed(FailureClass.PERMANENT), "FAILED"),
        (failed(FailureClass.TRANSIENT), "CANCELLED"),
        (failed(FailureClass.CANCELLED), "CANCELLED"),
    ],
)
async def test_its_real_outcome_counts(world: World, replica: Replica, ending: object, state: str) -> None:
    batch_id = await world.run(spec("write", "a"))
    await cancel(world, batch_id)
    replica.end(replica.held[0], ending)  # type: ignore[arg-type]
    await world.settle()
    assert (await world.states(batch_id)) == {"a": state}


@pytest.mark.parametrize(
    ("tool", "known", "state"),
    [
        ("write", KnownEffect.POSSIBLE, "CANCELLED"),
        ("send", KnownEffect.POSSIBLE, "OUTCOME_UNKNOWN"),
        ("send", KnownEffect.NONE, "CANCELLED"),
    ],
)
async def test_one_stopped_half_way_goes_by_its_effect(
    world: World, replica: Replica, tool: str, known: KnownEffect, state: str
) -> None:
    batch_id = await world.run(spec(tool, "a"))
    await cancel(world, batch_id)
    replica.end(replica.held[0], failed(FailureClass.CANCELLED, known))
    await world.settle()
    assert (await world.states(batch_id)) == {"a": state}


@pytest.mark.parametrize(
    ("tool", "state"), [("read", "CANCELLED"), ("write", "CANCELLED"), ("send", "OUTCOME_UNKNOWN")]
)
async def test_no_answer_within_the_grace_is_as_a_lost_executor(
    world: World, replica: Replica, tool: str, state: str
) -> None:
    batch_id = await world.run(spec(tool, "a"))
    await cancel(world, batch_id)
    await later(world, 4.9)
    assert (await world.states(batch_id)) == {"a": "RUNNING"}
    await later(world, 0.1)
    assert (await world.states(batch_id)) == {"a": state}
    assert (await world.batch(batch_id)).state.finished


RECORDED_FIRST = pytest.mark.parametrize(
    "second",
    [spec("send", "b", "a"), spec("write", "b", "a"), spec("read", "b", arguments='{"x":{"$from":"a"}}')],
    ids=["send", "write", "read_of_a_result"],
)
"""Calls that are sent when their attempt is on record."""


@asynccontextmanager
async def being_recorded(
    world: World, replica: Replica, store: HeldStore, *specs: ProposalSpec
) -> AsyncGenerator[tuple[str, Supervisor]]:
    """A batch whose first call has ended just when the store began to stand still. At the end it goes on."""
    batch_id = await world.run(spec("read", "a"), *specs)
    store.hold()
    replica.end(replica.held[0], ok())
    await world.settle()
    async with Supervisor() as tasks:
        yield batch_id, tasks
        assert (await world.states(batch_id))["b"] == "APPROVED", "nothing of it is on record"
        store.release()
        await world.settle()


@RECORDED_FIRST
@pytest.mark.parametrize("whole", [True, False], ids=["CancelBatch", "CancelProposals"])
async def test_one_that_is_still_being_recorded_is_never_sent(
    world: World, replica: Replica, store: HeldStore, second: ProposalSpec, whole: bool
) -> None:
    """However long that takes: nobody was asked, so there is nobody who does not answer."""
    async with being_recorded(world, replica, store, second) as (batch_id, tasks):
        if whole:
            tasks.start(world.cancel.batch(CALLER, batch_id, "enough", None), "cancel")
        else:
            tasks.start(world.cancel.proposals(CALLER, [f"{batch_id}/b"], "enough", None), "cancel")
        await later(world, 60)
    assert keys([call.id for call in replica.received]) == ["a/1"]
    assert replica.cancelled == []
    assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "CANCELLED"}
    assert (await world.batch(batch_id)).state.name == "PARTIAL"
    assert (await story(world, batch_id, "b"))[-2:] == ["attempt_dispatched", "proposal_cancelled"]
    failure = (await world.proposal(f"{batch_id}/b")).failure
    assert failure is not None
    assert failure.known_effect is KnownEffect.NONE


async def test_the_answer_says_what_is_recorded_with_it(world: World, replica: Replica, store: HeldStore) -> None:
    """Also to whoever asks again."""
    key = RequestKey("5c0e2f3a-0000-4000-8000-000000000001", "CancelProposals", b"p")
    specs = spec("send", "b", "a"), spec("send", "c", "b"), spec("pay", "d"), spec("read", "e")
    async with being_recorded(world, replica, store, *specs) as (batch_id, tasks):
        ids = [f"{batch_id}/{each}" for each in "bcde"]
        asked = tasks.start(world.cancel.proposals(CALLER, ids, "enough", key), "cancel")
        await world.settle()
    answers = await asked
    told = {answer.proposal_id[-1]: ProposalState(answer.state).name for answer in answers}
    assert told == {"b": "CANCELLED", "c": "CANCELLED", "d": "CANCELLED", "e": "RUNNING"}
    assert (await world.states(batch_id)) == {"a": "SUCCEEDED", **told}
    assert await world.cancel.proposals(CALLER, ids, "enough", key) == answers


async def test_so_is_one_whose_batch_comes_to_its_deadline(world: World, replica: Replica, store: HeldStore) -> None:
    second = spec("send", "b", "a")
    batch_id = await world.run(spec("read", "a"), second, deadline=10 * SECOND)
    store.hold()
    replica.end(replica.held[0], ok())
    await later(world, 10)
    await later(world, 60)
    store.release()
    await world.settle()
    assert keys([call.id for call in replica.received]) == ["a/1"]
    assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "CANCELLED"}


async def test_what_waited_for_the_end_of_one_that_was_being_recorded_goes_on(
    world: World, replica: Replica, store: HeldStore
) -> None:
    specs = spec("send", "b", "a"), spec("send", "c", "b?"), spec("send", "d", "b")
    async with being_recorded(world, replica, store, *specs) as (batch_id, tasks):
        tasks.start(world.cancel.proposals(CALLER, [f"{batch_id}/b"], "enough", None), "cancel")
        await later(world, 60)
    assert keys(replica.held) == ["c/1"]
    replica.release()
    await world.settle()
    assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "CANCELLED", "c": "SUCCEEDED", "d": "SKIPPED"}


async def test_retried_meanwhile_it_is_sent_as_another_attempt(
    world: World, replica: Replica, store: HeldStore
) -> None:
    async with being_recorded(world, replica, store, spec("send", "b", "a")) as (batch_id, tasks):
        tasks.start(world.cancel.proposals(CALLER, [f"{batch_id}/b"], "", None), "cancel")
        await world.settle()
        tasks.start(world.retry.retry(CALLER, [f"{batch_id}/b"], "", (), "", None), "retry")
        await later(world, 60)
    assert keys(replica.held) == ["b/2"]


@pytest.mark.parametrize("turns", range(4))
@RECORDED_FIRST
async def test_cancelled_at_the_moment_it_is_recorded_it_is_not_sent_or_is_stopped(
    world: World, replica: Replica, store: HeldStore, second: ProposalSpec, turns: int
) -> None:
    replica.stubborn = False
    async with being_recorded(world, replica, store, second) as (batch_id, tasks):
        tasks.start(world.cancel.batch(CALLER, batch_id, "enough", None), "cancel")
        for _ in range(turns):
            await asyncio.sleep(0)
    assert replica.held == []
    assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "CANCELLED"}


async def test_one_proposal_is_cancelled_and_what_needed_it_is_skipped(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("pay", "a"), spec("read", "b", "a"), spec("read", "c", "a?"))
    answers = await world.cancel.proposals(CALLER, [f"{batch_id}/a", f"{batch_id}/x"], "no", None)
    await world.settle()
    assert [answer.reason for answer in answers] == ["", "PROPOSAL_UNKNOWN"]
    assert (await world.states(batch_id)) == {"a": "CANCELLED", "b": "SKIPPED", "c": "RUNNING"}
    (again,) = await world.cancel.proposals(CALLER, [f"{batch_id}/a"], "no", None)
    assert again.reason == "PROPOSAL_ENDED"


async def test_a_backing_off_one_does_not_come_back(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("read", "a"))
    replica.end(replica.held[0], failed())
    await world.settle()
    await cancel(world, batch_id)
    await later(world, 60)
    assert (await world.states(batch_id)) == {"a": "CANCELLED"}
    assert replica.held == []


async def test_while_it_is_being_cancelled_nothing_is_retried(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("read", "a"), spec("read", "b", "a"))
    await cancel(world, batch_id)
    (answer,) = await world.retry.retry(CALLER, [f"{batch_id}/b"], "", (), "", None)
    assert answer.reason == "BATCH_CANCELLING"
    with pytest.raises(PreconditionError) as refused:
        await world.resume.resume(CALLER, batch_id, "", None)
    assert refused.value.reason == "BATCH_CANCELLING"
    replica.release()
    await world.settle()
    assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "CANCELLED"}
    await world.retry.retry(CALLER, [f"{batch_id}/b"], "", (), "", None)
    await world.settle()
    replica.release()
    await world.settle()
    assert (await world.batch(batch_id)).state.name == "SUCCEEDED"
    assert (await story(world, batch_id))[-1] == "batch_finished"


async def test_retried_alone_it_waits_for_the_one_it_needs(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("pay", "a"), spec("read", "b", "a"))
    await cancel(world, batch_id)
    await world.retry.retry(CALLER, [f"{batch_id}/b"], "", (), "", None)
    await world.settle()
    assert (await world.states(batch_id)) == {"a": "CANCELLED", "b": "SKIPPED"}
    assert (await world.batch(batch_id)).state.finished
    await world.retry.retry(CALLER, [], batch_id, (), "", None)
    await world.approve(f"{batch_id}/a")
    replica.release()
    await world.settle()
    replica.release()
    await world.settle()
    assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}


async def test_a_retried_one_is_not_sent_twice_by_what_was_queued_before(world: World, replica: Replica) -> None:
    replica.grant(1)
    batch_id = await world.run(spec("read", "a"), spec("read", "b"), spec("read", "c"))
    await world.cancel.proposals(CALLER, [f"{batch_id}/b"], "", None)
    await world.retry.retry(CALLER, [f"{batch_id}/b"], "", (), "", None)
    await world.settle()
    replica.end(replica.held[0], ok())
    await world.settle()
    while keys(replica.held) != ["b/1"]:
        replica.release()
        await world.settle()
    replica.end(replica.held[0], failed())
    await world.settle()
    replica.release()
    await world.settle()
    assert "b/2" not in keys([call.id for call in replica.received]), "it backs off"
    await later(world, 30)
    assert keys(replica.held) == ["b/2"]
