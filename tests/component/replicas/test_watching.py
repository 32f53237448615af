"""Two orchestrators on one PostgreSQL database, over real gRPC: both tell the same of a batch, whoever writes it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from orchestrator_svc.adapters.wakeups.postgresql import PostgresqlWakeups
from orchestrator_svc.application.polling import Polling
from orchestrator_svc.bootstrap import parts, service
from orchestrator_svc.ports.feed import Feed
from orchestrator_svc.ports.store import Store
from orchestrator_svc.ports.wakeups import Wake
from tests.support.gates import GATES
from tests.support.postgresql import PostgresServer
from tests.support.services import Received, Services, call, read, services, state_of

pytestmark = pytest.mark.postgresql


class LosesAll(PostgresqlWakeups):
    """Nothing is sent, and nothing comes."""

    def send(self, wakes: Sequence[Wake]) -> None:
        pass

    async def receive(self) -> list[Wake]:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


class NeverPolls(Polling):
    """Wake-ups are all there is. `known`: whether the others are, by each that has started."""

    known: ClassVar[list[Callable[[], bool]]] = []

    def __init__(self, store: Store, feed: Feed, others: Callable[[], bool]) -> None:
        super().__init__(store, feed, others, interval=3600)
        self.known.append(others)


@pytest.fixture(autouse=True)
def gates() -> Iterator[None]:
    GATES.reset()
    yield
    GATES.open("gate")


@pytest.fixture(params=["heard", "lost"])
async def two(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Services, Services]]:
    """Their wake-ups arrive and they never poll, or every wake-up is lost. No heartbeat makes a watcher look."""
    NeverPolls.known.clear()
    if request.param == "lost":
        monkeypatch.setattr(parts, "PostgresqlWakeups", LosesAll)
    else:
        monkeypatch.setattr(service, "Polling", NeverPolls)
    async with postgres.database(await postgres.migrated()) as url, AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(
                services(tmp_path / name, store=url, heartbeat_interval=3600, lease_period=3)
            )
            for name in ("one", "other")
        ]
        while not all(others() for others in NeverPolls.known):  # noqa: ASYNC110 - the next look at the leases
            await asyncio.sleep(0.01)
        yield one, other


async def approve(services: Services, batch_id: str, *keys: str) -> None:
    decisions = [pb.Decision(proposal_id=f"{batch_id}/{key}", verdict=proposal_pb2.VERDICT_APPROVE) for key in keys]
    answer = await services.stub.DecideProposals(pb.DecideProposalsRequest(decisions=decisions))
    assert [result.status.code for result in answer.answers] == [0] * len(keys)


def watch(services: Services, batch_id: str, until: pb.Until.ValueType = pb.UNTIL_FINISHED) -> "asyncio.Task[Received]":
    stream = services.stub.WatchBatch(pb.WatchBatchRequest(batch_id=batch_id, until=until))
    return asyncio.ensure_future(read(stream))


async def blocked(services: Services, batch_id: str) -> None:
    """Until that one knows it: then the batch is nobody's."""
    assert state_of((await services.summary(batch_id)).batch) == "BLOCKED"


def whole(received: Received) -> list[Any]:
    """Its events, which are all there, once each and in order."""
    assert received.sequences == list(range(1, received.summary.batch.sequence + 1))
    return received.events


async def test_a_batch_that_changes_hands_twice_while_it_is_watched(two: tuple[Services, Services]) -> None:
    one, other = two
    held = await one.submit(call("note", "a"), call("note", "b"), call("note", "c"))
    watching = [watch(each, held.batch_id) for each in two]
    for key, decider in (("a", one), ("b", other), ("c", one)):
        await blocked(decider, held.batch_id)
        await approve(decider, held.batch_id, key)
    first, second = [whole(await task) for task in watching]
    assert first == second


async def test_while_it_runs_at_another_one(two: tuple[Services, Services]) -> None:
    one, other = two
    held = await one.submit(
        call("wait", "a", {"gate": "gate"}), *[call("echo", f"e{n}", after=["a"]) for n in range(200)]
    )
    watching = [watch(each, held.batch_id) for each in two]
    waiting = asyncio.ensure_future(other.summary(held.batch_id, pb.UNTIL_FINISHED))
    GATES.open("gate")
    first, second = [whole(await task) for task in watching]
    assert first == second
    assert state_of((await waiting).batch) == "SUCCEEDED"


async def test_a_session(two: tuple[Services, Services]) -> None:
    one, other = two
    held = [await each.submit(call("note", "a"), session_id="talk") for each in two]
    request = pb.WatchSessionRequest(session_id="talk", until=pb.UNTIL_FINISHED)
    watching = [asyncio.ensure_future(read(each.stub.WatchSession(request))) for each in two]
    for batch, decider in zip(held, (other, one), strict=True):
        await approve(decider, batch.batch_id, "a")
    for received in [await task for task in watching]:
        for batch in held:
            mine = [event.sequence for event in received.events if event.batch_id == batch.batch_id]
            assert mine == list(range(1, len(mine) + 1))
        assert [state_of(batch) for batch in received.summary.batches] == ["SUCCEEDED"] * 2


async def test_a_users_turn_at_the_other_one(two: tuple[Services, Services]) -> None:
    one, other = two
    running = await one.submit(call("wait", "w", {"gate": "gate"}), call("note", "a"), session_id="talk")
    resting = await one.submit(call("note", "b"), session_id="talk")
    GATES.open("gate")
    request = pb.SoftConfirmRequest(session_id="talk", all=True)
    received = await read(other.stub.SoftConfirm(request))
    assert received.confirmation is not None
    assert list(received.confirmation.confirmed) == [f"{running.batch_id}/a", f"{resting.batch_id}/b"]
    assert [state_of(batch) for batch in received.summary.batches] == ["SUCCEEDED"] * 2
    for batch in (running, resting):
        mine = [event.sequence for event in received.events if event.batch_id == batch.batch_id]
        assert mine == list(range(mine[0], mine[0] + len(mine)))


async def test_a_stream_goes_on_at_the_other_one(two: tuple[Services, Services]) -> None:
    one, other = two
    held = await one.submit(call("wait", "a", {"gate": "gate"}), call("echo", "b", after=["a"]))
    stream = one.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id))
    first = await read(stream, lambda got: "attempt_dispatched" in got.details("a"))
    stream.cancel()
    rest = read(other.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id, resume_after=first.sequences[-1])))
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(rest)
        GATES.open("gate")
    sequences = first.sequences + reading.result().sequences
    assert sequences == list(range(1, reading.result().summary.batch.sequence + 1))


async def test_one_that_comes_after_a_decision_is_not_told_of_what_was_before(two: tuple[Services, Services]) -> None:
    """Where it is watched it was blocked; it was decided at the other one, and whoever asks now knows that."""
    one, other = two
    held = await one.submit(call("wait", "w", {"gate": "gate"}), call("note", "a"), call("echo", "e", after=["a"]))
    GATES.open("gate")
    await blocked(one, held.batch_id)
    kept = watch(one, held.batch_id)
    await approve(other, held.batch_id, "a")
    received = await watch(one, held.batch_id, pb.UNTIL_BLOCKED)
    assert state_of(received.summary.batch) == "SUCCEEDED"
    assert whole(received) == whole(await kept)
