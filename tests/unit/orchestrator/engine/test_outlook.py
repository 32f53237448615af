"""Why proposals wait, as people are told: for which executor, since when, and until when."""

from orchestrator_svc.application.engine.settings import EngineSettings
from orchestrator_svc.application.summaries import Summaries, Waiting, WaitingReason
from orchestrator_svc.domain.tool import RetryPolicy, ToolDescriptor
from tests.support.engine_world import failed, later, ok, spec, started
from tests.support.world import SECOND, TOOLS, World, tool

CHANGED = [tool(t.key.name, t.effect, t.tier, '{"type":"object","title":"changed"}') for t in TOOLS]
ONCE_A_SECOND = RetryPolicy(5, SECOND, SECOND)


async def _waits(world: World, batch_id: str) -> dict[str, Waiting | None]:
    summaries = Summaries(world.store, world.live, world.executors, world.engine.outlook)
    summary = await summaries.of("default", [batch_id])
    return {answer.view.proposal.key: answer.waiting for answer in summary.answers}


async def test_a_lost_executor_is_awaited_for_a_time_that_is_told() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("read", "b", retry=ONCE_A_SECOND))
        assert await _waits(world, batch_id) == {"a": None, "b": None}
        lost = world.clock.time_ns()
        replica.cut()
        await later(world, 0)
        await world.settle()
        until = lost + 60 * SECOND
        found = await _waits(world, batch_id)
        assert found["a"] == Waiting(WaitingReason.LOST_EXECUTOR, lost, until)
        assert found["b"] is not None
        assert found["b"].reason is WaitingReason.BACKOFF
        tried_again = found["b"].until
        assert tried_again is not None
        await later(world, 10)
        found = await _waits(world, batch_id)
        assert found["a"] == Waiting(WaitingReason.LOST_EXECUTOR, lost, until)
        assert found["b"] == Waiting(WaitingReason.EXECUTOR, tried_again, lost + 40 * SECOND)
        replica.connect()
        await world.settle()
        assert await _waits(world, batch_id) == {"a": None, "b": None}


async def test_past_its_time_nobody_waits_for_it_any_more() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await later(world, 60)
        await world.settle()
        waiting = (await _waits(world, batch_id))["a"]
        assert waiting is not None
        assert waiting.reason is WaitingReason.RESOLUTION


async def test_one_that_is_silent_is_asked_and_has_a_time_to_answer() -> None:
    world = World(settings=EngineSettings(answer_margin=10.0, cancel_grace=5 * SECOND))
    async with started(world) as replica:
        replica.stubborn = True
        batch_id = await world.run(spec("send", "a", timeout=SECOND))
        await later(world, 12)
        asked = world.clock.time_ns()
        waiting = (await _waits(world, batch_id))["a"]
        assert waiting == Waiting(WaitingReason.LOST_EXECUTOR, asked, asked + 5 * SECOND)


async def test_what_waits_for_its_turn_in_its_batch_is_given_no_time() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"), spec("read", "b"), max_in_flight=1)
        replica.cut()
        await later(world, 5)
        waiting = (await _waits(world, batch_id))["b"]
        assert waiting is not None
        assert (waiting.reason, waiting.until) == (WaitingReason.EXECUTOR, None)


async def test_a_tool_that_changed_without_its_version_is_named_at_once() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a"), spec("read", "b", "a"))
        replica.describe(CHANGED)
        await world.settle()
        begin = world.clock.time_ns()
        replica.end(replica.held[0], ok())
        await world.settle()
        expected = Waiting(WaitingReason.MATCHING_EXECUTOR, begin, begin + 30 * SECOND)
        assert (await _waits(world, batch_id))["b"] == expected
        assert world.catalogue.problems()[0] == (
            "executor executor-1 has note@1, described differently than on record: give it another version"
        )
        await later(world, 30)
        await later(world, 1)
        failure = (await world.proposal(f"{batch_id}/b")).failure
        assert failure is not None
        assert failure.reason == "QUEUE_TIMEOUT"
        assert failure.message == (
            "an executor has read@1, described differently than on record: give it another version "
            "(none with the one on record was connected for 30 s)"
        )


async def test_with_the_recorded_description_back_it_runs() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("read", "a", retry=ONCE_A_SECOND))
        replica.describe(CHANGED)
        replica.end(replica.held[0], failed())
        await later(world, 10)
        waiting = (await _waits(world, batch_id))["a"]
        assert waiting is not None
        assert waiting.reason is WaitingReason.MATCHING_EXECUTOR
        replica.describe(TOOLS)
        await world.settle()
        assert (await _waits(world, batch_id)) == {"a": None}
        assert world.catalogue.problems() == []


async def test_a_description_that_cannot_be_used_is_a_problem_too() -> None:
    world = World()
    unsound: ToolDescriptor = tool("odd", schema="{")
    async with started(world, [*TOOLS, unsound]):
        (problem,) = world.catalogue.problems()
        assert problem.startswith("executor executor-1 has odd@1, SCHEMA_INVALID: ")
