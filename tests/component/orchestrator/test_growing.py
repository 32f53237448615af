"""Open batches: they may start empty, grow while they run, and close."""

import uuid
from typing import Any

from google.protobuf import duration_pb2

from greenlight.orchestrator.v1 import batch_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.support.gates import GATES
from tests.support.refusals import refusal
from tests.support.services import Services, call, read, state_of, states


async def _add(pair: Services, batch_id: str, *proposals: Any, **fields: Any) -> pb.AddProposalsResponse:
    request = pb.AddProposalsRequest(batch_id=batch_id, proposals=proposals, **fields)
    return await pair.stub.AddProposals(request)


async def _open(pair: Services, *proposals: Any, **fields: Any) -> batch_pb2.Batch:
    return await pair.submit(*proposals, open=True, **fields)


async def test_a_batch_that_starts_empty(pair: Services):
    held = await _open(pair)
    assert (held.open, state_of(held)) == (True, "IDLE")
    added = await _add(pair, held.batch_id, call("echo", "a", {"value": 7}), call("echo"))
    assert list(added.proposal_ids) == [f"{held.batch_id}/a", f"{held.batch_id}/p2"]
    assert (await pair.summary(held.batch_id)).answers[0].result_json == "7"
    more = await _add(pair, held.batch_id, call("echo", "c", {"value": {"$from": "a"}}), close=True)
    assert list(more.proposal_ids) == [f"{held.batch_id}/c"]
    assert not more.batch.open
    summary = await pair.summary(held.batch_id)
    assert state_of(summary.batch) == "SUCCEEDED"
    assert [(answer.key, answer.result_json) for answer in summary.answers] == [("a", "7"), ("p2", "null"), ("c", "7")]


async def test_a_watcher_sees_it_grow(pair: Services):
    held = await _open(pair)
    stream = pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id))
    first = await read(stream, lambda got: bool(got.events))
    await _add(pair, held.batch_id, call("echo", "a"))
    await pair.stub.CloseBatch(pb.CloseBatchRequest(batch_id=held.batch_id))
    rest = await read(stream)
    assert first.sequences + rest.sequences == list(range(1, rest.summary.batch.sequence + 1))
    assert "batch_closed" in rest.details()


async def test_all_or_none(pair: Services):
    held = await _open(pair, call("echo", "a"))
    for proposals, field in (
        ([call("echo", "b"), call("echo", "a")], "proposals[1].key"),
        ([call("echo", "b"), call("typed", "c")], "proposals[1].arguments_json"),
        ([call("echo", "b", after=["z"])], "proposals[0].depends_on"),
        ([], "proposals"),
        ([call("echo", tier=9)], "proposals[0].tier"),
    ):
        request = pb.AddProposalsRequest(batch_id=held.batch_id, proposals=proposals)
        refused = await refusal(pair.stub.AddProposals(request))
        assert refused.short == ("INVALID_ARGUMENT", "BATCH_INVALID")
        assert list(refused.fields) == [field]
    assert (await pair.summary(held.batch_id)).batch.counts.total == 1


async def test_a_batch_never_outgrows_its_limit(pair: Services):
    held = await _open(pair, call("wait", "a", {"gate": "gate"}))
    request = pb.AddProposalsRequest(batch_id=held.batch_id, proposals=[call("echo")] * 10_000)
    assert (await refusal(pair.stub.AddProposals(request))).reason == "BATCH_INVALID"


async def test_adding_to_a_closed_batch(pair: Services):
    closed = await pair.submit(call("wait", "a", {"gate": "gate"}))
    finished = (await pair.run(call("echo"))).batch
    for batch in (closed, finished):
        request = pb.AddProposalsRequest(batch_id=batch.batch_id, proposals=[call("echo", "x")])
        refused = await refusal(pair.stub.AddProposals(request))
        assert refused.short == ("FAILED_PRECONDITION", "BATCH_CLOSED")
        assert list(refused.preconditions) == [batch.batch_id]


async def test_closing_twice_changes_nothing(pair: Services):
    held = await _open(pair, call("note", "a"))
    first = await pair.stub.CloseBatch(pb.CloseBatchRequest(batch_id=held.batch_id))
    again = await pair.stub.CloseBatch(pb.CloseBatchRequest(batch_id=held.batch_id))
    assert (first.batch.open, first.batch.sequence) == (False, again.batch.sequence)


async def test_the_same_addition_again(pair: Services):
    held = await _open(pair)
    request = pb.AddProposalsRequest(
        batch_id=held.batch_id, proposals=[call("echo")], close=True, request_id=str(uuid.uuid4())
    )
    first = await pair.stub.AddProposals(request)
    await pair.summary(held.batch_id)
    again = await pair.stub.AddProposals(request)
    assert list(again.proposal_ids) == list(first.proposal_ids) == [f"{held.batch_id}/p1"]
    request.close = False
    assert (await refusal(pair.stub.AddProposals(request))).reason == "REQUEST_ID_REUSED"
    assert (await pair.summary(held.batch_id)).batch.counts.total == 1


async def test_an_idle_batch_closes_by_itself(pair: Services):
    held = await _open(pair, idle_timeout=duration_pb2.Duration(nanos=20_000_000))
    received = await read(pair.stub.WatchBatch(pb.WatchBatchRequest(batch_id=held.batch_id)))
    closed = next(event.batch_closed for event in received.events if event.WhichOneof("detail") == "batch_closed")
    assert closed.principal == "policy:idle_timeout"
    assert state_of(received.summary.batch) == "SUCCEEDED"


async def test_what_depends_on_what_has_failed(pair: Services):
    held = await _open(pair, call("failing", "a"))
    await pair.summary(held.batch_id)
    lenient = call("echo", "c", {"value": {"$from": "a", "default": "nothing"}})
    await _add(pair, held.batch_id, call("echo", "b", after=["a"]), lenient, close=True)
    summary = await pair.summary(held.batch_id)
    assert states(summary.answers) == {"a": "FAILED", "b": "SKIPPED", "c": "SUCCEEDED"}
    assert list(summary.answers[2].missing_inputs) == ["a"]


async def test_many_clients_add_at_once(pair: Services):
    held = await _open(pair)
    calls = [
        pair.stub.AddProposals(pb.AddProposalsRequest(batch_id=held.batch_id, proposals=[call("echo")] * 3))
        for _ in range(20)
    ]
    added = [name for answer in calls for name in (await answer).proposal_ids]
    assert len(set(added)) == 60
    GATES.open("gate")
    assert (await pair.summary(held.batch_id)).batch.counts.succeeded == 60
