"""Why a proposal waits, seen from outside: a changed tool, a lost executor."""

from pathlib import Path

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from greenlight.tool.v1 import tool_pb2
from tests.support.scripted_executor import ScriptedExecutor, described
from tests.support.services import call, services

TOOLS = [described("echo"), described("pay", effect=tool_pb2.EFFECT_NON_IDEMPOTENT)]


async def test_a_tool_that_changed_without_its_version(tmp_path: Path):
    async with (
        ScriptedExecutor() as scripted,
        services(tmp_path, executors=[scripted.address], known=(), queue_timeout=1.0) as front,
    ):
        conversation = await scripted.next()
        await conversation.greet(TOOLS)
        await front.tools("echo", "pay")
        await conversation.say(tools=[described("echo", description="in other words"), TOOLS[1], described("new")])
        await front.tools("new")
        (problem,) = (await front.stub.GetServerInfo(pb.GetServerInfoRequest())).problems
        assert problem == (
            "executor scripted has echo@1, described differently than on record: give it another version"
        )
        held = await front.submit(call("echo", "a"))
        waiting = (await front.proposal(held.batch_id, "a")).waiting
        assert waiting.reason == proposal_pb2.WAITING_REASON_MATCHING_EXECUTOR
        (answer,) = (await front.summary(held.batch_id, pb.UNTIL_FINISHED)).answers
        assert answer.failure.reason == "QUEUE_TIMEOUT"
        assert "an executor has echo@1, described differently than on record" in answer.failure.message


async def test_an_executor_that_is_lost(tmp_path: Path):
    async with (
        ScriptedExecutor() as scripted,
        services(tmp_path, executors=[scripted.address], known=(), reattach_window=60.0, queue_timeout=60.0) as front,
    ):
        conversation = await scripted.next()
        await conversation.greet(TOOLS)
        await front.tools("echo", "pay")
        held = await front.submit(call("pay", "a"), call("echo", "b"))
        await conversation.calls(2)
        conversation.end()
        await front.until_state(held.batch_id, "b", proposal_pb2.PROPOSAL_STATE_APPROVED)
        lost = await front.proposal(held.batch_id, "a")
        assert lost.state == proposal_pb2.PROPOSAL_STATE_RUNNING
        assert lost.waiting.reason == proposal_pb2.WAITING_REASON_LOST_EXECUTOR
        assert (lost.waiting.until_time.ToDatetime() - lost.waiting.since_time.ToDatetime()).total_seconds() == 60
        again = await scripted.next()
        await again.greet(TOOLS)
        (resent,) = await again.calls(1)
        assert resent.id == f"{held.batch_id}/b/2"
        assert not (await front.proposal(held.batch_id, "a")).HasField("waiting")
