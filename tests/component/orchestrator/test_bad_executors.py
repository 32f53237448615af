"""Executors that go away or misbehave, seen by the client of the orchestrator: one call may fail, nothing else does."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from greenlight.executor.v1 import executor_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from greenlight.tool.v1 import tool_pb2
from tests.support.refusals import refusal
from tests.support.scripted_executor import Conversation, ScriptedExecutor, described
from tests.support.services import Services, batch, call, services, state_of, states

RUNNING = proposal_pb2.PROPOSAL_STATE_RUNNING


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedExecutor]:
    async with ScriptedExecutor() as executor:
        yield executor


@pytest.fixture
async def front(scripted: ScriptedExecutor, tmp_path: Path) -> AsyncIterator[Services]:
    async with services(tmp_path, executors=[scripted.address], known=()) as running:
        yield running


TOOLS = [
    described("echo"),
    described("pay", effect=tool_pb2.EFFECT_NON_IDEMPOTENT),
    described("note", effect=tool_pb2.EFFECT_IDEMPOTENT),
]


async def _greeted(front: Services, scripted: ScriptedExecutor, **fields: Any) -> Conversation:
    conversation = await scripted.next()
    await conversation.greet(TOOLS, **fields)
    await front.tools("echo", "pay", "note")
    return conversation


async def test_gone_in_the_middle(front: Services, scripted: ScriptedExecutor):
    """What may be repeated is; of what may not be nobody knows."""
    conversation = await _greeted(front, scripted)
    held = await front.submit(call("echo", "a"), call("pay", "b"), call("note", "c"), call("echo", "d", after=["b"]))
    await conversation.calls(3)
    conversation.end()
    again = await scripted.next()
    await again.greet(TOOLS, boot_id="boot-2")
    calls = await again.calls(2)
    assert sorted(item.id.partition("/")[2] for item in calls) == ["a/2", "c/2"]
    await again.succeed(*[item.id for item in calls])
    summary = await front.summary(held.batch_id)
    assert states(summary.answers) == {"a": "SUCCEEDED", "b": "OUTCOME_UNKNOWN", "c": "SUCCEEDED", "d": "APPROVED"}
    assert summary.answers[1].failure.known_effect == tool_pb2.KNOWN_EFFECT_POSSIBLE
    keys = {item.idempotency_key for item in calls}
    assert len(keys) == 2


async def test_back_in_time_it_tells_how_it_ended(front: Services, scripted: ScriptedExecutor):
    conversation = await _greeted(front, scripted)
    held = await front.submit(call("pay", "b"))
    (sent,) = await conversation.calls(1)
    conversation.end()
    again = await scripted.next()
    await again.greet(TOOLS)
    while not (request := await again.requests.get()).attaches:
        pass
    assert [attach.call_id for attach in request.attaches] == [sent.id]
    ended = executor_pb2.AttachAnswer(call_id=sent.id, state=executor_pb2.ATTACH_STATE_ENDED)
    await again.say(attach_answers=[ended])
    await again.succeed(sent.id, result='"paid"')
    summary = await front.summary(held.batch_id)
    assert [answer.result_json for answer in summary.answers] == ['"paid"']


async def test_answers_for_calls_it_never_got_and_twice(front: Services, scripted: ScriptedExecutor):
    conversation = await _greeted(front, scripted)
    held = await front.submit(call("echo", "a"), call("echo", "b"))
    one, other = await conversation.calls(2)
    await conversation.succeed("never/sent/1", f"{held.batch_id}/a/2", f"{held.batch_id}/z/1", "")
    await conversation.succeed(one.id, result="1")
    await conversation.succeed(one.id, result="2")
    await conversation.succeed(other.id, result="3")
    summary = await front.summary(held.batch_id)
    assert [answer.result_json for answer in summary.answers] == ["1", "3"]
    assert [answer.attempts for answer in summary.answers] == [1, 1]


@pytest.mark.parametrize("garbage", ["", "{", "NaN", '"\\ud800"'])
async def test_a_result_that_is_garbage(front: Services, scripted: ScriptedExecutor, garbage: str):
    conversation = await _greeted(front, scripted)
    held = await front.submit(call("echo", "a"), call("echo", "b"), call("echo", "c", {"value": {"$from": "a"}}))
    one, other = await conversation.calls(2)
    await conversation.succeed(one.id, result=garbage)
    await conversation.succeed(other.id, result="1")
    summary = await front.summary(held.batch_id, pb.UNTIL_FINISHED)
    assert states(summary.answers) == {"a": "FAILED", "b": "SUCCEEDED", "c": "SKIPPED"}
    assert summary.answers[0].failure.known_effect == tool_pb2.KNOWN_EFFECT_DONE


async def test_a_result_with_a_member_twice(front: Services, scripted: ScriptedExecutor):
    """Readers differ on what it says: it is no result."""
    conversation = await _greeted(front, scripted)
    held = await front.submit(call("echo", "a"), call("echo", "b", {"value": {"$from": "a"}}))
    (sent,) = await conversation.calls(1)
    await conversation.succeed(sent.id, result='{"a": 1, "a": 2}')
    summary = await front.summary(held.batch_id, pb.UNTIL_FINISHED)
    assert states(summary.answers) == {"a": "FAILED", "b": "SKIPPED"}
    assert summary.answers[0].failure.reason == "RESULT_NOT_JSON"


async def test_bytes_that_are_no_message(front: Services, scripted: ScriptedExecutor):
    conversation = await _greeted(front, scripted)
    held = await front.submit(call("echo", "a"))
    await conversation.calls(1)
    await conversation.say_bytes(b"\xff\xff\xff\xff")
    again = await scripted.next()
    await again.greet(TOOLS, boot_id="boot-2")
    (sent,) = await again.calls(1)
    await again.succeed(sent.id, result="7")
    assert (await front.summary(held.batch_id)).answers[0].result_json == "7"


@pytest.mark.parametrize(
    "schema",
    [
        '{"$ref": "file:///etc/passwd"}',
        '{"$ref": "http://127.0.0.1:1/schema.json"}',
        '{"properties": {"a": {"$ref": "other.json"}}}',
        "{",
        "[]",
        '{"type": "nothing"}',
    ],
)
async def test_a_schema_that_points_elsewhere_or_is_none(front: Services, scripted: ScriptedExecutor, schema: str):
    conversation = await scripted.next()
    await conversation.greet([described("echo"), described("bad", arguments_schema_json=schema)])
    await front.tools("echo")
    request = pb.SubmitBatchRequest(batch=batch(call("bad", "a")))
    refused = await refusal(front.stub.SubmitBatch(request))
    assert refused.short == ("INVALID_ARGUMENT", "BATCH_INVALID")
    assert list(refused.fields) == ["batch.proposals.items[0].tool"]
    (executor,) = (await front.stub.ListExecutors(pb.ListExecutorsRequest())).executors
    assert (list(executor.tools), list(executor.conflicting_tools)) == (["echo@1"], ["bad@1"])


async def test_a_schema_over_its_limits_is_named_with_the_limit(front: Services, scripted: ScriptedExecutor):
    conversation = await scripted.next()
    large = '{"allOf": [' + ",".join(['{"minimum": 0}'] * 15_000) + "]}"
    await conversation.greet([described("echo"), described("bad", arguments_schema_json=large)])
    await front.tools("echo")
    (problem,) = (await front.stub.GetServerInfo(pb.GetServerInfoRequest())).problems
    assert "bad@1" in problem
    assert "at most 20,000" in problem


async def test_another_descriptor_of_a_known_tool(front: Services, scripted: ScriptedExecutor):
    conversation = await _greeted(front, scripted)
    conversation.end()
    again = await scripted.next()
    await again.greet([described("echo", description="another"), described("new")], boot_id="boot-2")
    await front.tools("new")
    executors = (await front.stub.ListExecutors(pb.ListExecutorsRequest())).executors
    assert ["echo@1"] in [list(executor.conflicting_tools) for executor in executors]


async def test_no_executor_at_all(tmp_path: Path):
    async with services(tmp_path, toolboxes=()) as front:
        refused = await refusal(front.stub.SubmitBatch(pb.SubmitBatchRequest(batch=batch(call("echo")))))
        assert refused.short == ("UNAVAILABLE", "TOOLS_UNKNOWN")
        assert refused.retry_after is not None
        assert await front.batches() == []


async def test_the_last_executor_has_gone(front: Services, scripted: ScriptedExecutor):
    conversation = await _greeted(front, scripted)
    await scripted.stop()
    conversation.end()
    summary = await front.run(call("echo", "a"))
    assert state_of(summary.batch) == "FAILED"
    assert summary.answers[0].failure.reason in ("QUEUE_TIMEOUT", "EXECUTOR_LOST")


async def test_refused_for_lack_of_room(front: Services, scripted: ScriptedExecutor):
    """A refusal before the effect takes none of the attempts."""
    conversation = await _greeted(front, scripted)
    held = await front.submit(call("pay", "a", tier=tool_pb2.TIER_HARD))
    digest = (await front.proposal(held.batch_id, "a")).digest
    approval = pb.Decision(proposal_id=f"{held.batch_id}/a", verdict=proposal_pb2.VERDICT_APPROVE, digest=digest)
    await front.stub.DecideProposals(pb.DecideProposalsRequest(decisions=[approval]))
    for _ in range(5):
        (sent,) = await conversation.calls(1)
        failure = tool_pb2.Failure(
            failure_class=tool_pb2.FAILURE_CLASS_UNAVAILABLE,
            known_effect=tool_pb2.KNOWN_EFFECT_NONE,
            reason="FULL",
            refused=True,
        )
        await conversation.say(outcomes=[executor_pb2.Outcome(call_id=sent.id, failure=failure)])
    (sent,) = await conversation.calls(1)
    assert sent.id.endswith("/6")
    await conversation.succeed(sent.id)
    assert state_of((await front.summary(held.batch_id)).batch) == "SUCCEEDED"


async def _asked_about(conversation: Conversation, call_id: str) -> None:
    """Until it is asked what became of a call, and told to stop it."""
    asked: set[str] = set()
    stopped: set[str] = set()
    while call_id not in asked or call_id not in stopped:
        request = await conversation.requests.get()
        asked.update(attach.call_id for attach in request.attaches)
        stopped.update(request.cancels)


async def test_one_that_says_nothing_of_a_call_is_asked(scripted: ScriptedExecutor, tmp_path: Path):
    """What it never saw is sent again, whatever its effect; what it still says nothing of goes by its effect."""
    address = [scripted.address]
    async with services(tmp_path, executors=address, known=(), answer_margin=0.1, cancel_grace=0.2) as front:
        conversation = await _greeted(front, scripted)
        short = Duration(nanos=50_000_000)
        held = await front.submit(call("pay", "a", timeout=short), call("pay", "b", timeout=short))
        one, other = await conversation.calls(2)
        await _asked_about(conversation, one.id)
        never = executor_pb2.AttachAnswer(call_id=one.id, state=executor_pb2.ATTACH_STATE_NEVER_SEEN)
        runs = executor_pb2.AttachAnswer(call_id=other.id, state=executor_pb2.ATTACH_STATE_RUNNING)
        await conversation.say(attach_answers=[never, runs])
        (again,) = await conversation.calls(1)
        assert again.id == f"{held.batch_id}/a/2"
        await conversation.succeed(again.id)
        summary = await front.summary(held.batch_id)
        assert states(summary.answers) == {"a": "SUCCEEDED", "b": "OUTCOME_UNKNOWN"}
        assert summary.answers[1].failure.reason == "CALL_UNANSWERED"
        await conversation.succeed(other.id, result='"late"')
        summary = await front.summary(held.batch_id, pb.UNTIL_FINISHED)
        assert [answer.result_json for answer in summary.answers] == ["{}", '"late"']
