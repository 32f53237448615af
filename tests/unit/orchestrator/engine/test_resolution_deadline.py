"""Nobody says in time what became of an unknown outcome: nobody waits for it any more."""

from orchestrator_svc.api.mapping.batches import batch_message
from orchestrator_svc.application.summaries import WaitingReason, waiting
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.domain.tool import FailureClass
from tests.support.engine_world import keys, later, ok, possible, spec, started, story
from tests.support.world import CALLER, SECOND, World, running

HOUR = 3600


def patient(**given: object) -> World:
    return World(resolution_deadline=HOUR * SECOND, **given)  # type: ignore[arg-type]


async def test_what_needs_its_success_is_skipped_and_the_batch_is_partial() -> None:
    world = patient()
    async with started(world) as replica:
        batch_id = await world.run(
            spec("send", "a"),
            spec("read", "b", "a"),
            spec("read", "c", "b"),
            spec("read", "d", "a?"),
            spec("read", "e"),
        )
        replica.end(replica.held[1], ok())
        replica.end(replica.held[0], possible())
        await world.settle()
        assert (await world.batch(batch_id)).state.name == "BLOCKED"
        view = await world.store.get_proposal("default", batch_id, "a")
        assert view is not None
        why = waiting(view, world.executors, world.engine.outlook)
        assert why is not None
        assert (why.reason, why.until) == (WaitingReason.RESOLUTION, world.clock.time_ns() + HOUR * SECOND)
        await later(world, HOUR)
        replica.release()
        await world.settle()
        states = {"a": "OUTCOME_UNKNOWN", "b": "SKIPPED", "c": "SKIPPED", "d": "SUCCEEDED", "e": "SUCCEEDED"}
        assert (await world.states(batch_id)) == states
        assert (await world.batch(batch_id)).state.name == "PARTIAL"
        assert (await story(world, batch_id, "a"))[-1] == "outcome_given_up"


async def test_what_is_given_up_is_no_resolution_that_a_blocked_batch_waits_for() -> None:
    world = patient()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("send", "b"), spec("pay", "c"))
        replica.end(replica.held[0], possible())
        await later(world, HOUR / 2)
        replica.end(replica.held[0], possible())
        await world.settle()
        for resolutions in (2, 1, 0):
            blocked_on = batch_message(await world.batch(batch_id)).blocked_on
            assert (blocked_on.decisions, blocked_on.resolutions) == (1, resolutions)
            await later(world, HOUR / 2)


async def test_it_holds_across_a_restart() -> None:
    world = patient()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"))
        replica.end(replica.held[0], possible())
        await later(world, HOUR / 2)
    again = patient(store=world.store, clock=world.clock, executors=world.executors)
    async with running(again, ()):
        await later(again, HOUR / 2 - 1)
        assert (await again.batch(batch_id)).state.name == "BLOCKED"
        await later(again, 1)
        assert (await again.states(batch_id)) == {"a": "OUTCOME_UNKNOWN", "b": "SKIPPED"}
    third = patient(store=world.store, clock=world.clock, executors=world.executors)
    async with running(third, ()):
        await third.resolve.resolve(CALLER, f"{batch_id}/a", Resolution.SUCCEEDED, "7", "looked", None, None)
        await third.settle()
        assert (await third.states(batch_id)) == {"a": "SUCCEEDED", "b": "RUNNING"}


async def test_an_open_batch_that_waits_for_nothing_else_is_closed_in_its_time_across_a_restart() -> None:
    world = patient()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), open=True, idle_timeout=2 * HOUR * SECOND)
        replica.end(replica.held[0], possible())
        await later(world, HOUR)
        assert (await world.batch(batch_id)).state.name == "IDLE"
    again = patient(store=world.store, clock=world.clock, executors=world.executors)
    async with running(again, ()):
        await later(again, 2 * HOUR - 1)
        assert (await again.batch(batch_id)).state.name == "IDLE"
        await later(again, 2)
        assert (await again.batch(batch_id)).state.name == "PARTIAL"


async def test_what_is_heard_meanwhile_keeps_no_open_batch_from_being_closed() -> None:
    world = patient()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("send", "b"), open=True, idle_timeout=60 * SECOND)
        replica.end(replica.held[0], possible())
        await world.settle()
        replica.cut()
        await later(world, HOUR)
        await world.resolve.resolve(CALLER, f"{batch_id}/b", Resolution.FAILED, "", "looked", None, None)
        await world.settle()
        assert (await world.batch(batch_id)).state.name == "IDLE"
        replica.end(replica.held[0], ok("7"))
        replica.connect()
        await world.settle()
        assert (await story(world, batch_id, "b"))[-1] == "outcome_arrived_late"
        await later(world, 60)
        assert (await world.batch(batch_id)).state.name == "PARTIAL"


async def test_without_a_deadline_it_is_waited_for() -> None:
    world = World()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"))
        replica.end(replica.held[0], possible())
        await later(world, 1000 * HOUR)
        assert (await world.batch(batch_id)).state.name == "BLOCKED"


async def test_who_resolves_it_later_brings_back_what_was_skipped() -> None:
    for resolution, state in ((Resolution.SUCCEEDED, "SUCCEEDED"), (Resolution.FAILED, "FAILED")):
        world = patient()
        async with started(world) as replica:
            batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"))
            replica.end(replica.held[0], possible())
            await later(world, HOUR)
            await world.resolve.resolve(CALLER, f"{batch_id}/a", resolution, "", "looked", None, None)
            await world.settle()
            replica.release()
            await world.settle()
            after = "SUCCEEDED" if state == "SUCCEEDED" else "SKIPPED"
            assert (await world.states(batch_id)) == {"a": state, "b": after}
            assert (await world.batch(batch_id)).state.name == state


async def test_run_again_does_too() -> None:
    world = patient()
    async with started(world) as replica:
        batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"))
        replica.end(replica.held[0], possible())
        await later(world, HOUR)
        await world.resolve.resolve(CALLER, f"{batch_id}/a", Resolution.RUN_AGAIN, "", "not there", None, None)
        await world.settle()
        assert keys(replica.held) == ["a/2"]
        replica.release()
        await world.settle()
        replica.release()
        await world.settle()
        assert (await world.states(batch_id)) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}


async def test_a_late_outcome_settles_it_all_the_same() -> None:
    for ending, after in (
        (ok("7"), {"a": "SUCCEEDED", "b": "RUNNING"}),
        (possible(FailureClass.PERMANENT), {"a": "OUTCOME_UNKNOWN", "b": "SKIPPED"}),
    ):
        world = patient()
        async with started(world) as replica:
            batch_id = await world.run(spec("send", "a"), spec("read", "b", "a"))
            replica.cut()
            await later(world, 60)
            await later(world, HOUR)
            assert (await world.states(batch_id)) == {"a": "OUTCOME_UNKNOWN", "b": "SKIPPED"}
            replica.end(replica.held[0], ending)
            replica.connect()
            await world.settle()
            assert (await world.states(batch_id)) == after
