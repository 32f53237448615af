"""Clients that go away in the middle: what they sent is done wholly or not at all, and what runs goes on."""

import asyncio
import uuid
from typing import Any

import grpc.aio
import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from tests.support.gates import GATES
from tests.support.services import Services, batch, call, read, state_of


async def _gone(answer: Any) -> None:
    with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
        await answer


async def _all_there(pair: Services) -> int:
    """Every batch is whole, and comes to its end. Returns how many there are."""
    found = await pair.batches()
    for held in found:
        summary = await pair.summary(held.batch_id, pb.UNTIL_FINISHED)
        assert summary.batch.counts.succeeded == summary.batch.counts.total == 300
        assert len(summary.answers) == 300
    return len(found)


@pytest.mark.parametrize("yields", [0, 1, 3, 10, 30, 100, 300])
async def test_in_the_middle_of_a_submission(pair: Services, yields: int):
    """Gone after so many turns of the loop that is shared with the service."""
    request = pb.SubmitBatchRequest(batch=batch(*[call("echo")] * 300), request_id=str(uuid.uuid4()))
    answer = pair.stub.SubmitBatch(request)
    for _ in range(yields):
        await asyncio.sleep(0)
    answer.cancel()
    if not answer.done():
        await _gone(answer)
    await pair.stub.SubmitBatch(request)
    assert await _all_there(pair) == 1


@pytest.mark.parametrize("yields", [1, 10, 30, 100])
async def test_in_the_middle_of_a_run(pair: Services, yields: int):
    stream = pair.stub.RunBatch(pb.RunBatchRequest(batch=batch(*[call("echo")] * 300)))
    for _ in range(yields):
        await asyncio.sleep(0)
    stream.cancel()
    assert await _all_there(pair) in (0, 1)


async def test_after_the_first_event_of_a_run(pair: Services):
    stream = pair.stub.RunBatch(pb.RunBatchRequest(batch=batch(call("wait", "a", {"gate": "gate"}))))
    first = await read(stream, lambda got: "attempt_dispatched" in got.details("a"))
    stream.cancel()
    GATES.open("gate")
    summary = await pair.summary(first.events[0].batch_id, pb.UNTIL_FINISHED)
    assert state_of(summary.batch) == "SUCCEEDED"


async def test_in_the_middle_of_a_watch_of_many_frames(pair: Services):
    """While the server writes, and the client has not read what came."""
    held = await pair.submit(*[call("sized", arguments={"size": 200_000}) for _ in range(60)])
    for _ in range(5):
        stream = pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id))
        await stream.initial_metadata()
        stream.cancel()
    assert state_of((await pair.summary(held.batch_id, pb.UNTIL_FINISHED)).batch) == "SUCCEEDED"


async def test_in_the_middle_of_decisions_over_many_batches(pair: Services):
    held = [await pair.submit(call("note", "a")) for _ in range(10)]
    decisions = [pb.Decision(proposal_id=f"{one.batch_id}/a", verdict=proposal_pb2.VERDICT_APPROVE) for one in held]
    answer = pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=decisions))
    await pair.until_state(held[0].batch_id, "a", proposal_pb2.PROPOSAL_STATE_APPROVED)
    answer.cancel()
    for one in held:
        assert state_of((await pair.summary(one.batch_id, pb.UNTIL_FINISHED)).batch) == "SUCCEEDED"


async def test_in_the_middle_of_a_turn(pair: Services):
    held = await pair.submit(call("note", "a"), session_id="talk")
    stream = pair.stub.SoftConfirm(pb.SoftConfirmRequest(session_id="talk", all=True))
    await pair.until_state(held.batch_id, "a", proposal_pb2.PROPOSAL_STATE_APPROVED)
    stream.cancel()
    assert state_of((await pair.summary(held.batch_id, pb.UNTIL_FINISHED)).batch) == "SUCCEEDED"
