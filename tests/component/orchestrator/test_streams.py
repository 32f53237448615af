"""Streams of one batch: resume, ends, heartbeats, and watchers that are slow or do not read at all."""

import asyncio
from typing import Any

import grpc.aio
import pytest
from google.protobuf import duration_pb2

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from tests.support.gates import GATES
from tests.support.refusals import refusal
from tests.support.services import Services, batch, call, read, state_of

RUNNING = proposal_pb2.PROPOSAL_STATE_RUNNING


def _seconds(value: float) -> duration_pb2.Duration:
    message = duration_pb2.Duration()
    message.FromNanoseconds(round(value * 1e9))
    return message


def _watch(pair: Services, batch_id: str, **fields: Any) -> Any:
    return pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=batch_id, **fields))


async def test_resume_from_everywhere(pair: Services):
    summary = await pair.run(*[call("echo") for _ in range(200)])
    batch_id, last = summary.batch.batch_id, summary.batch.sequence
    whole = await read(_watch(pair, batch_id))
    assert whole.sequences == list(range(1, last + 1))
    for after in (0, 1, 63, 64, 65, 199, last - 1, last):
        rest = await read(_watch(pair, batch_id, resume_after=after))
        assert rest.events == whole.events[after:]
        assert rest.summary == whole.summary


async def test_resume_in_the_middle_of_a_run(pair: Services):
    held = await pair.submit(call("echo", "a"), call("wait", "b", {"gate": "gate"}), call("echo", "c", after=["b"]))
    first = await read(_watch(pair, held.batch_id), lambda got: "attempt_dispatched" in got.details("b"))
    GATES.open("gate")
    rest = await read(_watch(pair, held.batch_id, resume_after=first.sequences[-1]))
    assert first.sequences + rest.sequences == list(range(1, rest.summary.batch.sequence + 1))


async def test_a_snapshot_goes_on_without_a_gap(pair: Services):
    held = await pair.submit(call("wait", "a", {"gate": "gate"}), call("echo", "b"))
    snapshot = (await pair.stub.GetBatch(pb.GetBatchRequest(batch_id=held.batch_id))).batch
    GATES.open("gate")
    rest = await read(_watch(pair, held.batch_id, resume_after=snapshot.sequence))
    whole = await read(_watch(pair, held.batch_id))
    assert rest.events == whole.events[snapshot.sequence :]


async def test_beyond_the_head(pair: Services):
    summary = await pair.run(call("echo"))
    request = {"batch_id": summary.batch.batch_id, "resume_after": summary.batch.sequence + 1}
    for refused in (
        await refusal(pair.stub.WatchBatch(pb.WatchBatchRequest(**request))),
        await refusal(pair.stub.ListEvents(pb.ListEventsRequest(**request))),
    ):
        assert refused.short == ("OUT_OF_RANGE", "SEQUENCE_IN_FUTURE")
        assert list(refused.fields) == ["resume_after"]
        assert refused.metadata["sequence"] == str(summary.batch.sequence)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"resume_after": -1}, "resume_after"),
        ({"until": 9}, "until"),
        ({"max_wait": _seconds(-1)}, "max_wait"),
        ({"max_wait": duration_pb2.Duration(nanos=2_000_000_000)}, "max_wait"),
    ],
)
async def test_requests_that_are_wrong(pair: Services, fields: dict[str, Any], field: str):
    held = await pair.submit(call("echo"))
    refused = await refusal(_watch(pair, held.batch_id, **fields))
    assert refused.short == ("INVALID_ARGUMENT", "REQUEST_INVALID")
    assert list(refused.fields) == [field]


async def test_until_blocked_and_until_finished(pair: Services):
    held = await pair.submit(call("echo", "a"), call("note", "b"))
    blocked = await read(_watch(pair, held.batch_id, until=pb.UNTIL_BLOCKED))
    assert state_of(blocked.summary.batch) == "BLOCKED"
    assert not blocked.summary.wait_ended
    decision = pb.Decision(proposal_id=f"{held.batch_id}/b", verdict=proposal_pb2.VERDICT_APPROVE)
    waiting = asyncio.create_task(read(_watch(pair, held.batch_id)))
    await pair.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[decision]))
    assert state_of((await waiting).summary.batch) == "SUCCEEDED"


async def test_the_wait_ends(pair: Services):
    held = await pair.submit(call("note", "a"))
    received = await read(_watch(pair, held.batch_id, max_wait=_seconds(0)))
    assert received.summary.wait_ended
    assert received.sequences
    answer = await pair.stub.WaitBatch(pb.WaitBatchRequest(batch_id=held.batch_id, max_wait=_seconds(0.01)))
    assert answer.summary.wait_ended
    assert answer.summary.answers[0].waiting.reason == proposal_pb2.WAITING_REASON_DECISION


async def test_heartbeats_say_where_it_stands(pair: Services):
    held = await pair.submit(call("note", "a"))
    received = await read(_watch(pair, held.batch_id), lambda got: len(got.frames) > 2)
    assert [len(frame.events) > 0 for frame in received.frames] == [True, False, False]
    assert {frame.sequence for frame in received.frames} == {received.sequences[-1]}


async def test_a_disconnect_cancels_nothing(pair: Services):
    held = await pair.submit(call("wait", "a", {"gate": "gate"}))
    stream = _watch(pair, held.batch_id)
    await read(stream, lambda got: "attempt_dispatched" in got.details("a"))
    stream.cancel()
    assert (await pair.proposal(held.batch_id, "a")).state == RUNNING
    GATES.open("gate")
    assert state_of((await pair.summary(held.batch_id)).batch) == "SUCCEEDED"


async def test_a_watcher_that_never_reads_and_one_that_is_slow(pair: Services):
    """More than the transport takes for them: they stand still, and nobody else does."""
    held = await pair.submit(call("wait", "gate", {"gate": "gate"}), open=True)
    async with grpc.aio.insecure_channel(
        pair.orchestrator.address, options=[("grpc.use_local_subchannel_pool", 1)]
    ) as other:
        stub: Any = OrchestratorServiceStub(other)
        deaf = stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id))
        slow = stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id))
        await deaf.initial_metadata()
        first = await slow.read()
        proposals = [call("sized", f"large{n}", {"size": 500_000}) for n in range(20)]
        await pair.stub.AddProposals(pb.AddProposalsRequest(batch_id=held.batch_id, proposals=proposals, close=True))
        GATES.open("gate")
        quick = await read(_watch(pair, held.batch_id))
        assert quick.sequences == list(range(1, quick.summary.batch.sequence + 1))
        late = list(first.frame.events)
        while (message := await slow.read()) is not grpc.aio.EOF:
            late += message.frame.events
        assert late == quick.events
        deaf.cancel()
    assert (await pair.run(call("echo"))).batch.counts.succeeded == 1


async def test_many_watchers_see_the_same(pair: Services):
    held = await pair.submit(*[call("echo", after=["gate"]) for _ in range(50)], call("wait", "gate", {"gate": "gate"}))
    watchers = [asyncio.create_task(read(_watch(pair, held.batch_id))) for _ in range(20)]
    GATES.open("gate")
    seen = [await watcher for watcher in watchers]
    assert all(received.events == seen[0].events for received in seen)
    assert seen[0].sequences == list(range(1, seen[0].summary.batch.sequence + 1))


async def test_pages_of_events(pair: Services):
    summary = await pair.run(*[call("echo") for _ in range(40)])
    whole = await read(_watch(pair, summary.batch.batch_id))
    events: list[Any] = []
    more, after, sizes = True, 0, list[int]()
    while more:
        page = await pair.stub.ListEvents(
            pb.ListEventsRequest(batch_id=summary.batch.batch_id, resume_after=after, page_size=50)
        )
        events += page.frame.events
        more, after = page.more, page.frame.sequence
        sizes.append(len(page.frame.events))
    assert events == whole.events
    assert sizes == [50, 50, 22]
    empty = await pair.stub.ListEvents(pb.ListEventsRequest(batch_id=summary.batch.batch_id, resume_after=after))
    assert (len(empty.frame.events), empty.frame.sequence, empty.more) == (0, after, False)


async def test_a_page_of_less_than_none(pair: Services):
    summary = await pair.run(call("echo"))
    request = pb.ListEventsRequest(batch_id=summary.batch.batch_id, page_size=-1)
    assert (await refusal(pair.stub.ListEvents(request))).short == ("INVALID_ARGUMENT", "PAGE_SIZE_INVALID")


async def test_a_run_that_is_cut_off_goes_on(pair: Services):
    run = pair.stub.RunBatch(pb.RunBatchRequest(batch=batch(call("wait", "a", {"gate": "gate"}), call("echo", "b"))))
    first = await read(run, lambda got: "attempt_dispatched" in got.details("a"))
    run.cancel()
    GATES.open("gate")
    batch_id = first.events[0].batch_id
    rest = await read(_watch(pair, batch_id, resume_after=first.sequences[-1]))
    assert first.sequences + rest.sequences == list(range(1, rest.summary.batch.sequence + 1))
