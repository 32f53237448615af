"""What the next start of an executor says of calls that an earlier one was sent."""

import pytest

from orchestrator_svc.domain.tool import Effect
from orchestrator_svc.ports.executor import Ask, Attached, Ended, Target
from tests.conformance.executors.worlds import Member, World
from tests.support.calls import ECHO, WAIT, make_ask, make_call, make_waiting
from tests.support.watching import Watcher


async def ended_and_restarted(world: World, watcher: Watcher) -> tuple[Member, Target, Ended, Target]:
    """A NON_IDEMPOTENT call that ended, and was not acknowledged. Its executor before and after."""
    member = await world.add()
    before = await watcher.connected()
    await member.open_gate("a")
    world.executors.send(before, [make_waiting("b/a/1")])
    ended = await watcher.next(Ended)
    assert ended.ending.result == '"a"'
    await member.restart()
    after = await watcher.connected()
    assert (before.executor_id, before.boot_id != after.boot_id) == (after.executor_id, True)
    return member, before, ended, after


async def test_an_outcome_is_had_from_the_next_start(world: World, watcher: Watcher) -> None:
    _, before, ended, after = await ended_and_restarted(world, watcher)
    assert ended.position == 2
    world.executors.attach(after, [make_ask("b/a/1", before.boot_id, position=ended.position)])
    assert await watcher.next(Attached) == Attached("b/a/1", "ended")
    again = await watcher.next(Ended)
    assert (again.call_id, again.ending.result) == ("b/a/1", '"a"')
    assert world.executors.choose(WAIT) == (after, 8), "and its slot is free again"


async def test_what_was_never_seen_is_fenced_for_the_starts_to_come(world: World, watcher: Watcher) -> None:
    member, before, _, after = await ended_and_restarted(world, watcher)
    world.executors.attach(after, [make_ask("b/x/1", before.boot_id)])
    assert await watcher.next(Attached) == Attached("b/x/1", "never_seen")
    await member.restart()
    last = await watcher.connected()
    world.executors.send(last, [make_waiting("b/x/1")])
    failure = (await watcher.next(Ended)).ending.failure
    assert failure is not None
    assert failure.reason == "CALL_FENCED"


@pytest.mark.parametrize(
    "ask",
    [
        make_ask("b/a/1", "no such start"),
        make_ask("b/a/1", "", position=3),
        make_ask("b/x/1", "", Effect.READ),
        make_ask("b/x/1", "", Effect.IDEMPOTENT),
    ],
    ids=["another journal's start", "it knew more before", "a read", "an idempotent one"],
)
async def test_what_cannot_be_known_is_not_said(world: World, watcher: Watcher, ask: Ask) -> None:
    _, before, _, after = await ended_and_restarted(world, watcher)
    wanted = ask if ask.boot_id else ask._replace(boot_id=before.boot_id)
    world.executors.attach(after, [wanted])
    assert await watcher.next(Attached) == Attached(wanted.call_id, "cannot_say")
    assert world.executors.choose(ECHO) == (after, 8)


async def test_calls_of_other_effects_have_no_position(world: World, watcher: Watcher) -> None:
    await world.add()
    target = await watcher.connected()
    world.executors.send(target, [make_call("b/a/1")])
    assert (await watcher.next(Ended)).position == 0
