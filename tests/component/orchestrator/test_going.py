"""A server that goes: what it accepted is on record, who watches is told, and the next start goes on."""

import asyncio
import uuid
from pathlib import Path

import grpc.aio
import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from tests.support.gates import GATES
from tests.support.refusals import refusal
from tests.support.services import batch, call, read, services, state_of


async def test_watchers_are_told_and_go_on_at_the_next_start(tmp_path: Path):
    async with services(tmp_path) as pair:
        held = await pair.submit(call("echo", "a"), call("note", "b"), session_id="talk")
        first = await read(pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id, until=pb.UNTIL_BLOCKED)))
        last = first.sequences[-1]
        watching = asyncio.create_task(
            refusal(pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id, resume_after=last)))
        )
        in_session = asyncio.create_task(refusal(pair.stub.WatchSession(pb.WatchSessionRequest(session_id="talk"))))
        waiting = asyncio.create_task(refusal(pair.stub.WaitBatch(pb.WaitBatchRequest(batch_id=held.batch_id))))
        await asyncio.sleep(0.05)
        pair.orchestrator.engine.drain()
        for refused in (await watching, await in_session, await waiting):
            assert refused.short == ("UNAVAILABLE", "DRAINING")
            assert refused.retry_after is not None
        refused = await refusal(pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=batch(call("echo")))))
        assert refused.short == ("UNAVAILABLE", "DRAINING")
    async with services(tmp_path) as pair:
        approve = pb.Decision(proposal_id=f"{held.batch_id}/b", verdict=proposal_pb2.VERDICT_APPROVE)
        await pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[approve]))
        rest = await read(pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id, resume_after=last)))
        assert rest.sequences[0] == last + 1
        assert state_of(rest.summary.batch) == "SUCCEEDED"


async def test_new_streams_are_refused_before_they_begin(tmp_path: Path):
    """Else a client that comes back believes each time that it is connected again."""
    async with services(tmp_path) as pair:
        held = await pair.submit(call("echo", "a"), call("note", "b"), session_id="talk")
        running = await pair.submit(call("wait", "a", {"gate": "gate"}))
        await pair.until_state(running.batch_id, "a", proposal_pb2.PROPOSAL_STATE_RUNNING)
        await pair.summary(held.batch_id)
        answered = pb.RunBatchRequest(batch=batch(call("echo")), request_id=str(uuid.uuid4()))
        await read(pair.stub.RunBatch(answered))
        pair.orchestrator.engine.drain()
        confirm = pb.SoftConfirmRequest(session_id="talk", all=True)
        for stream in (
            pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id)),
            pair.stub.WatchSession(pb.WatchSessionRequest(session_id="talk")),
            pair.stub.RunBatch(pb.RunBatchRequest(batch=batch(call("echo")))),
            pair.stub.RunBatch(answered),
            pair.stub.SoftConfirm(confirm),
        ):
            refused = await refusal(stream.read())
            assert (refused.short, refused.retry_after) == (("UNAVAILABLE", "DRAINING"), 5.0)
            assert "when it is back" in refused.message
        assert (await pair.proposal(held.batch_id, "b")).state == proposal_pb2.PROPOSAL_STATE_PROPOSED
        GATES.open("gate")


async def test_a_read_that_was_cut_off_runs_again(tmp_path: Path):
    async with services(tmp_path) as pair:
        held = await pair.submit(call("wait", "a", {"gate": "gate"}))
        await pair.until_state(held.batch_id, "a", proposal_pb2.PROPOSAL_STATE_RUNNING)
    GATES.open("gate")
    async with services(tmp_path) as pair:
        summary = await pair.summary(held.batch_id)
        assert [(answer.result_json, answer.attempts) for answer in summary.answers] == [('"gate"', 2)]


async def test_a_client_that_does_not_read_holds_nobody_up(tmp_path: Path):
    async with services(tmp_path) as pair:
        held = await pair.run(*[call("sized", arguments={"size": 500_000}) for _ in range(20)])
        stream = pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch.batch_id))
        await stream.initial_metadata()
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await read(stream)
