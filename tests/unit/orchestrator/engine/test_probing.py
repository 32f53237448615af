"""An outcome is unknown, and its tool can look for the effect."""

from dataclasses import replace

from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.proposal import Finding, Probe
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.domain.tool import Effect, FailureClass, KnownEffect, RetryPolicy, Tier
from tests.support.engine_world import events, keys, later, possible, spec, started, story
from tests.support.world import CALLER, SECOND, World, running, tool

TOOLS = (replace(tool("send", Effect.NON_IDEMPOTENT, Tier.AUTO), probes=True), tool("read"))
FOUND = Look(Finding.FOUND, '"mail-7"')
NOT_FOUND = Look(Finding.NOT_FOUND)
BUSY = Look(Finding.FAILED, message="busy")


class Effects:
    """What the tool finds when it looks."""

    def __init__(self, replica: Replica, *looks: Look) -> None:
        self.looks = list(looks)
        self.place(replica)

    def place(self, replica: Replica) -> None:
        replica.probe("send", lambda _: self.looks.pop(0) if len(self.looks) > 1 else self.looks[0])


async def test_found_it_succeeds_at_once_and_its_dependents_go_on() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        Effects(replica, FOUND)
        batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"))
        replica.end(replica.held[0], possible())
        await world.settle()
        assert (await world.proposal(f"{batch_id}/a")).result == '"mail-7"'
        assert keys(replica.held) == ["b/1"]
        assert (await story(world, batch_id, "a"))[-3:] == ["outcome_unknown", "outcome_probed", "proposal_succeeded"]


async def test_not_found_of_an_attempt_that_is_over_it_is_tried_again() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        Effects(replica, NOT_FOUND)
        batch_id = await world.run(spec("send", "a", retry=RetryPolicy(2, SECOND, SECOND)))
        replica.end(replica.held[0], possible())
        await later(world, 1)
        assert keys(replica.held) == ["a/2"]
        again = await world.proposal(f"{batch_id}/a")
        assert again.failure is None
        first = again.attempts[0]
        assert first.failure is not None
        assert first.failure.known_effect is KnownEffect.NONE
        replica.end(replica.held[0], possible())
        await later(world, 1)
        assert (await world.states(batch_id)) == {"a": "FAILED"}  # by its policy


async def test_not_found_where_its_class_is_not_tried_again_it_fails() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        Effects(replica, NOT_FOUND)
        batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"))
        replica.end(replica.held[0], possible(FailureClass.PERMANENT))
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "FAILED", "b": "SKIPPED"}


async def test_not_found_while_it_may_still_run_says_nothing() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        other = world.executors.add(TOOLS, executor_id="executor-2")
        await world.settle()
        Effects(other, NOT_FOUND)
        batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await later(world, 60)
        for _ in range(5):
            await later(world, 60)
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
        last = (await world.proposal(f"{batch_id}/a")).attempts[0]
        assert last.probe is not None
        assert last.may_still_run
        assert (last.probe.finding, len(other.probed)) == (Finding.NOT_FOUND, last.probe.number)
        assert (await story(world, batch_id, "a")).count("outcome_probed") == 1
        assert other.held == []


async def test_once_its_executor_says_that_it_is_over_the_next_look_counts() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        other = world.executors.add(TOOLS, executor_id="executor-2")
        await world.settle()
        Effects(other, NOT_FOUND)
        Effects(replica, NOT_FOUND)
        batch_id = await world.run(spec("send", "a", retry=RetryPolicy(2, SECOND, SECOND)))
        replica.cut()
        await later(world, 60)
        replica.end(replica.held[0], possible())
        replica.connect()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "APPROVED"}
        await later(world, 1)
        assert keys(replica.held + other.held) == ["a/2"]


async def test_a_look_that_began_before_it_was_over_says_nothing() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        other = world.executors.add(TOOLS, executor_id="executor-2")
        await world.settle()
        batch_id = await world.run(spec("send", "a"))
        replica.cut()
        await later(world, 60)
        (asked,) = other.probed  # it takes its time
        replica.end(replica.held[0], possible())
        replica.connect()
        await world.settle()
        other.answer_look(asked, NOT_FOUND)
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
        Effects(replica, FOUND)
        assert replica.probed == [asked]  # looked for anew at once, by who may know more
        replica.answer_look(asked, FOUND)
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}


async def test_one_that_does_not_stop_is_not_over() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        effects = Effects(replica, NOT_FOUND)
        batch_id = await world.run(spec("send", "a"))
        (call_id,) = replica.held
        replica.stuck.add(call_id)
        ending = possible(FailureClass.TIMEOUT)
        ending.start_time, ending.tool = world.clock.time_ns(), SECOND
        replica.end(call_id, ending)
        await later(world, 10)
        assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN"}
        assert len(replica.probed) == 2
        replica.stuck.clear()
        effects.looks = [FOUND]
        await later(world, 60)
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}


async def test_one_that_did_not_stop_and_then_did_without_an_effect_is_tried_again() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        Effects(replica, NOT_FOUND)
        await world.run(spec("send", "a", retry=RetryPolicy(2, SECOND, SECOND)))
        (call_id,) = replica.held
        replica.stuck.add(call_id)
        ending = possible(FailureClass.TIMEOUT)
        ending.start_time, ending.tool = world.clock.time_ns(), SECOND
        replica.end(call_id, ending)
        await later(world, 10)
        assert replica.held == []
        replica.stuck.clear()
        await later(world, 60)
        await later(world, 1)
        assert keys(replica.held) == ["a/2"]


async def test_a_look_that_fails_is_made_again_ever_more_seldom() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        effects = Effects(replica, BUSY)
        batch_id = await world.run(spec("send", "a"))
        replica.end(replica.held[0], possible())
        await world.settle()
        counts: list[int] = []
        for _ in range(8):
            await later(world, 30)
            counts.append(len(replica.probed))
        assert counts[0] >= 2
        assert counts[-1] - counts[-3] <= 1
        probe = (await world.proposal(f"{batch_id}/a")).attempts[0].probe
        assert probe == Probe(Finding.FAILED, probe.time if probe else 0, len(replica.probed), "busy")
        told = [event.outcome_probed for event in await events(world, batch_id) if event.HasField("outcome_probed")]
        assert [detail.message for detail in told] == ["busy"]
        effects.looks = [FOUND]
        await later(world, 60)
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}


async def test_a_look_whose_executor_is_lost_is_made_by_another() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        batch_id = await world.run(spec("send", "a"))
        replica.end(replica.held[0], possible())
        await world.settle()
        assert keys(replica.probed) == ["a/1"]
        other = world.executors.add(TOOLS, executor_id="executor-2")
        Effects(other, FOUND)
        replica.cut()
        await later(world, 1)
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}


async def test_after_a_person_resolved_it_what_was_found_changes_nothing() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        batch_id = await world.run(spec("send", "a"))
        replica.end(replica.held[0], possible())
        await world.settle()
        await world.resolve.resolve(CALLER, f"{batch_id}/a", Resolution.FAILED, "", "looked", None, None)
        replica.answer_look(replica.probed[0], FOUND)
        await later(world, 60)
        assert (await world.states(batch_id)) == {"a": "FAILED"}
        assert len(replica.probed) == 1


async def test_a_start_goes_on_looking() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        Effects(replica, BUSY)
        batch_id = await world.run(spec("send", "a"))
        replica.end(replica.held[0], possible())
        await world.settle()
    again = World(world.store, world.clock, world.executors)
    Effects(replica, FOUND)
    async with running(again, ()):
        replica.connect()
        await later(again, 1)  # its tool is usable by then
        assert (await again.states(batch_id)) == {"a": "SUCCEEDED"}


async def test_a_tool_that_learns_to_look_is_asked() -> None:
    world = World()
    async with started(world, (tool("send", Effect.NON_IDEMPOTENT, Tier.AUTO),)) as replica:
        batch_id = await world.run(spec("send", "a"))
        replica.end(replica.held[0], possible())
        await later(world, 100)
        assert replica.probed == []
        fresh = world.executors.add(TOOLS)
        Effects(fresh, FOUND)
        await later(world, 1)
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED"}


async def test_of_many_only_some_are_looked_for_at_a_time() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        batch_id = await world.run(*(spec("send", f"k{number}") for number in range(40)))
        for call_id in replica.held:
            replica.end(call_id, possible())
        await world.settle()
        assert len(replica.probed) == 16
        answered = 0
        while answered < 40:
            replica.answer_look(replica.probed[answered], FOUND)
            answered += 1
            await world.settle()
        assert set((await world.states(batch_id)).values()) == {"SUCCEEDED"}


async def test_one_that_was_cancelled_is_not_tried_again() -> None:
    world = World()
    async with started(world, TOOLS) as replica:
        Effects(replica, NOT_FOUND)
        batch_id = await world.run(spec("send", "a"))
        replica.stubborn = True
        await world.cancel.proposals(CALLER, [f"{batch_id}/a"], "", None)
        replica.end(replica.held[0], possible())
        await later(world, 60)
        assert (await world.states(batch_id)) == {"a": "FAILED"}
        assert replica.held == []
