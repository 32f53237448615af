"""A request that is repeated gets the answer that it got, and does nothing again."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.decide import DecisionSpec
from orchestrator_svc.application.submit import BatchSpec
from orchestrator_svc.domain.proposal import Verdict
from orchestrator_svc.domain.states import OnInvalid, Resolution
from orchestrator_svc.domain.tool import FailureClass, KnownEffect
from orchestrator_svc.ports.views import BatchFilter
from shared.kernel.errors import InvalidError
from tests.support.engine_world import failed, keys, spec, started
from tests.support.world import CALLER, World

ID = "5c0e2f3a-0000-4000-8000-00000000000"


def key(kind: str, payload: bytes = b"p", number: int = 1) -> RequestKey:
    return RequestKey(f"{ID}{number}", kind, payload)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def replica(world: World) -> AsyncGenerator[Replica]:
    async with started(world) as replica:
        yield replica


async def batches(world: World) -> int:
    return len((await world.store.list_batches("default", BatchFilter(), None, 100)).batches)


async def test_a_submission_makes_one_batch(world: World, replica: Replica) -> None:
    submission = BatchSpec(proposals=[spec("read", "a")])
    first = await world.submit.submit(CALLER, submission, key("SubmitBatch"))
    again = await world.submit.submit(CALLER, submission, key("SubmitBatch"))
    assert (again.batch_id, again.total, again.earlier) == (first.batch_id, 1, True)
    assert await batches(world) == 1


async def test_twins_at_the_same_time_make_one_batch(world: World, replica: Replica) -> None:
    submission = BatchSpec(proposals=[spec("read", "a")])
    twins = await asyncio.gather(*[world.submit.submit(CALLER, submission, key("SubmitBatch")) for _ in range(5)])
    assert len({twin.batch_id for twin in twins}) == 1
    assert await batches(world) == 1
    await world.settle()
    assert keys([call.id for call in replica.received]) == ["a/1"]


async def test_with_another_payload_or_kind_it_is_refused(world: World, replica: Replica) -> None:
    submission = BatchSpec(proposals=[spec("read", "a")], open=True)
    first = await world.submit.submit(CALLER, submission, key("SubmitBatch"))
    with pytest.raises(InvalidError, match="REQUEST_ID_REUSED"):
        await world.submit.submit(CALLER, submission, key("SubmitBatch", b"other"))
    with pytest.raises(InvalidError, match="REQUEST_ID_REUSED"):
        await world.add.close(CALLER, first.batch_id, key("CloseBatch"))
    other = await world.submit.submit(Caller("other", "user:x"), submission, key("SubmitBatch", b"other"))
    assert other.batch_id != first.batch_id, "tenants do not share request ids"


async def test_a_refused_submission_leaves_its_id_free(world: World, replica: Replica) -> None:
    with pytest.raises(InvalidError):
        await world.submit.submit(CALLER, BatchSpec(proposals=[spec("nothing", "a")]), key("SubmitBatch", b"bad"))
    await world.submit.submit(CALLER, BatchSpec(proposals=[spec("read", "a")]), key("SubmitBatch", b"good"))


async def test_an_addition_is_made_once(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("read", "a"), open=True)
    once = [await world.add.add(CALLER, batch_id, [spec("read")], OnInvalid.REFUSE, False, key("Add")) for _ in "12"]
    assert once[0] == once[1]
    twins = await asyncio.gather(
        *[world.add.add(CALLER, batch_id, [spec("read")], OnInvalid.REFUSE, False, key("Add", number=2)) for _ in "12"]
    )
    assert twins[0] == twins[1]
    assert len(await world.states(batch_id)) == 3


async def test_a_closing_is_remembered_though_the_batch_is_finished_by_then(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("read", "a"), open=True)
    replica.release()
    for _ in range(2):
        await world.add.close(CALLER, batch_id, key("Close"))
        await world.settle()
    assert (await world.batch(batch_id)).state.name == "SUCCEEDED"


async def test_decisions_get_their_first_answers(world: World, replica: Replica) -> None:
    first, second = await world.run(spec("pay", "a"), spec("pay", "b")), await world.run(spec("note", "a"))
    digest = (await world.proposal(f"{first}/a")).digest
    decisions = [
        DecisionSpec(f"{first}/a", Verdict.APPROVE, digest=digest),
        DecisionSpec(f"{second}/a", Verdict.REJECT, "no"),
        DecisionSpec(f"{first}/b", Verdict.APPROVE),
        DecisionSpec("nowhere/a", Verdict.APPROVE),
    ]
    answers = await world.decide.decide(CALLER, decisions, False, key("Decide"))
    assert [answer.reason for answer in answers] == ["", "", "DIGEST_REQUIRED", "PROPOSAL_UNKNOWN"]
    await world.settle()
    replica.release()
    await world.settle()
    again = await world.decide.decide(CALLER, decisions, False, key("Decide"))
    assert again == answers, "as it was then, not as it stands now"
    with pytest.raises(InvalidError, match="REQUEST_ID_REUSED"):
        await world.decide.decide(CALLER, decisions, False, key("Decide", b"other"))


async def test_a_retry_by_hand_happens_once(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("read", "a"))
    for attempt in (1, 2):
        replica.end(replica.held[0], failed(FailureClass.PERMANENT))
        await world.settle()
        answers = await world.retry.retry(CALLER, [], batch_id, (), "", key("Retry"))
        assert [answer.kind for answer in answers] == [None]
        await world.settle()
        assert keys(replica.held) == (["a/2"] if attempt == 1 else [])
    assert (await world.states(batch_id)) == {"a": "FAILED"}


async def test_cancelling_and_resolving_happen_once(world: World, replica: Replica) -> None:
    batch_id = await world.run(spec("send", "a"))
    replica.end(replica.held[0], failed(FailureClass.TIMEOUT, KnownEffect.POSSIBLE))
    await world.settle()
    for _ in range(2):
        await world.resolve.resolve(
            CALLER, f"{batch_id}/a", Resolution.RUN_AGAIN, "", "not there", None, key("Resolve")
        )
        await world.settle()
        assert keys(replica.held) == ["a/2"]
    replica.stubborn = True
    for _ in range(2):
        await world.cancel.batch(CALLER, batch_id, "", key("Cancel", number=2))
        await world.settle()
    assert keys(replica.cancelled) == ["a/2"]


async def test_it_is_remembered_across_a_restart(world: World) -> None:
    submission = BatchSpec(proposals=[spec("read", "a")])
    async with started(world):
        first = await world.submit.submit(CALLER, submission, key("SubmitBatch"))
    again = World(world.store, world.clock)
    async with started(again):
        assert (await again.submit.submit(CALLER, submission, key("SubmitBatch"))).batch_id == first.batch_id
