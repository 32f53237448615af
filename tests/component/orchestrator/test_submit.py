"""Submitting: what comes back, judging only, templates, and requests that are sent again."""

import uuid

import pytest

from greenlight.orchestrator.v1 import batch_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.support.refusals import refusal
from tests.support.services import Services, batch, call, read, state_of, states

TEMPLATE = """
format: 1
name: greeting
version: "1"
description: Says something twice.
parameters:
  type: object
  additionalProperties: false
  properties:
    word: {type: string, default: hello}
agents:
  speaker:
    proposals:
      first: {tool: echo, arguments: {value: {$param: word}}}
      second: {tool: echo, arguments: {value: {$from: first}}}
"""


async def test_the_answer_names_the_proposals_in_order(pair: Services):
    request = pb.SubmitBatchRequest(
        batch=batch(call("echo", "b"), call("note"), call("echo", "a"), session_id="talk", name="work")
    )
    answer = await pair.stub.SubmitBatch(request)
    batch_id = answer.batch.batch_id
    assert list(answer.proposal_ids) == [f"{batch_id}/b", f"{batch_id}/p2", f"{batch_id}/a"]
    assert (answer.batch.session_id, answer.batch.session_no, answer.batch.name) == ("talk", 1, "work")
    assert answer.batch.counts.total == 3
    assert (await pair.summary(batch_id)).batch.blocked_on.decisions == 1


async def test_judging_only_writes_nothing(pair: Services):
    spec = batch(call("echo", "a", agent="one"), call("publish", "b", agent="two"), session_id="talk")
    answer = await pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec, validate_only=True))
    assert (answer.batch.batch_id, list(answer.proposal_ids)) == ("", [])
    assert (answer.batch.counts.approved, answer.batch.counts.proposed) == (1, 1)
    assert [agent.name for agent in answer.batch.agents] == ["one", "two"]
    assert await pair.batches() == []
    refused = await refusal(pair.stub.GetSession(pb.GetSessionRequest(session_id="talk")))
    assert refused.short == ("NOT_FOUND", "SESSION_UNKNOWN")


async def test_judging_only_refuses_like_a_submission(pair: Services):
    request = pb.SubmitBatchRequest(batch=batch(call("typed")), validate_only=True)
    assert (await refusal(pair.stub.SubmitBatch(request))).reason == "BATCH_INVALID"


async def test_a_template_in_the_request(pair: Services):
    spec = batch_pb2.BatchSpec(template_yaml=TEMPLATE, parameters_json='{"word": "hi"}')
    answer = await pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec))
    assert [name.partition("/")[2] for name in answer.proposal_ids] == ["first", "second"]
    summary = await pair.summary(answer.batch.batch_id)
    assert [item.result_json for item in summary.answers] == ['"hi"', '"hi"']
    assert (summary.batch.template, summary.batch.name) == ("greeting@1", "greeting")


async def test_parameters_that_do_not_fit(pair: Services):
    for parameters in ('{"word": 3}', '{"wort": "x"}', "[]", "{"):
        spec = batch_pb2.BatchSpec(template_yaml=TEMPLATE, parameters_json=parameters)
        refused = await refusal(pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec)))
        assert refused.short == ("INVALID_ARGUMENT", "TEMPLATE_INVALID")
        assert all(field.startswith("parameters_json") for field in refused.fields)


async def test_a_run_streams_everything_and_ends_with_the_summary(pair: Services):
    received = await read(pair.stub.RunBatch(pb.RunBatchRequest(batch=batch(call("echo", "a"), call("failing", "b")))))
    assert received.sequences == list(range(1, len(received.events) + 1))
    assert received.details("a") == ["proposal_added", "attempt_dispatched", "proposal_succeeded"]
    assert received.details("b")[-1] == "proposal_failed"
    assert received.details() == ["batch_submitted", "batch_finished"]
    assert states(received.summary.answers) == {"a": "SUCCEEDED", "b": "FAILED"}
    assert state_of(received.summary.batch) == "PARTIAL"
    assert list(received.summary.batch.missing) == ["b"]
    assert received.frames[-1].sequence == received.events[-1].sequence


async def test_a_run_sends_its_header_before_anything_has_happened(pair: Services):
    stream = pair.stub.RunBatch(pb.RunBatchRequest(batch=batch(call("wait", "a", {"gate": "never"}))))
    assert await stream.initial_metadata() is not None
    assert len(await pair.batches()) == 1
    stream.cancel()


async def test_the_same_request_again_is_the_same_batch(pair: Services):
    request_id = str(uuid.uuid4())
    request = pb.SubmitBatchRequest(batch=batch(call("echo"), call("echo", "x")), request_id=request_id)
    first = await pair.stub.SubmitBatch(request)
    request.request_id = request_id.upper()
    again = await pair.stub.SubmitBatch(request)
    assert (again.batch.batch_id, again.proposal_ids) == (first.batch.batch_id, first.proposal_ids)
    assert len(await pair.batches()) == 1


async def test_the_same_template_request_again(pair: Services):
    spec = batch_pb2.BatchSpec(template_yaml=TEMPLATE)
    request = pb.SubmitBatchRequest(batch=spec, request_id=str(uuid.uuid4()))
    first, again = await pair.stub.SubmitBatch(request), await pair.stub.SubmitBatch(request)
    assert list(first.proposal_ids) == list(again.proposal_ids)


async def test_the_same_run_again_watches_the_same_batch(pair: Services):
    request = pb.RunBatchRequest(batch=batch(call("echo", "a")), request_id=str(uuid.uuid4()))
    first, again = await read(pair.stub.RunBatch(request)), await read(pair.stub.RunBatch(request))
    assert first.events == again.events
    assert len(await pair.batches()) == 1


async def test_a_request_id_with_another_payload(pair: Services):
    request = pb.SubmitBatchRequest(batch=batch(call("echo")), request_id=str(uuid.uuid4()))
    await pair.stub.SubmitBatch(request)
    request.batch.name = "another"
    refused = await refusal(pair.stub.SubmitBatch(request))
    assert refused.short == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    assert list(refused.fields) == ["request_id"]
    other = pb.CancelBatchRequest(batch_id="x", request_id=request.request_id)
    assert (await refusal(pair.stub.CancelBatch(other))).reason == "REQUEST_ID_REUSED"
    assert len(await pair.batches()) == 1


@pytest.mark.parametrize("request_id", ["1", "not-a-uuid", "0" * 32, "x" * 10_000])
async def test_a_request_id_that_is_no_uuid(pair: Services, request_id: str):
    refused = await refusal(
        pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=batch(call("echo")), request_id=request_id))
    )
    assert refused.short == ("INVALID_ARGUMENT", "REQUEST_INVALID")
    assert list(refused.fields) == ["request_id"]


async def test_two_at_once_with_one_request_id(pair: Services):
    request = pb.SubmitBatchRequest(batch=batch(call("echo")), request_id=str(uuid.uuid4()))
    calls = [pair.stub.SubmitBatch(request) for _ in range(5)]
    answers = [await answer for answer in calls]
    assert len({answer.batch.batch_id for answer in answers}) == 1
    assert len(await pair.batches()) == 1


async def test_one_by_one(pair: Services):
    received = await read(
        pair.stub.RunBatch(pb.RunBatchRequest(batch=batch(*[call("echo") for _ in range(5)], max_in_flight=1)))
    )
    order = [event.key for event in received.events if event.WhichOneof("detail") == "attempt_dispatched"]
    assert order == ["p1", "p2", "p3", "p4", "p5"]
