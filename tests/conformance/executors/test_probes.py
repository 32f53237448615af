"""What every adapter of the executors port does with looks for effects."""

import pytest

from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.proposal import Finding
from orchestrator_svc.ports.executor import Call, Ended, Looked, Lost, Started, Target
from tests.conformance.executors.worlds import Member, World
from tests.support.calls import ECHO, WAIT, make_call, make_waiting
from tests.support.watching import Watcher

NOBODY = Target("", "")


async def joined(world: World, watcher: Watcher) -> tuple[Member, Target]:
    """A new member that may be used."""
    member = await world.add()
    return member, await watcher.connected()


async def look(
    world: World, watcher: Watcher, call: Call, sent_to: Target = NOBODY, position: int = 0, but: Target | None = None
) -> Looked:
    target = world.executors.probe(call, sent_to, position, but)
    assert target is not None
    answer = await watcher.next(Looked)
    assert (answer.call_id, answer.target) == (call.id, target)
    return answer


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ("found", Look(Finding.FOUND, '"key of batch-1/a"')),
        ("b", Look(Finding.NOT_FOUND)),
        ("dark", Look(Finding.FAILED, message="it is dark")),
    ],
)
async def test_a_tool_says_what_it_found(world: World, watcher: Watcher, gate: str, expected: Look):
    await joined(world, watcher)
    answer = await look(world, watcher, make_waiting("batch-1/a/1", gate))
    assert answer.look == expected
    assert not answer.over


async def test_it_says_whether_the_call_is_at_work_there(world: World, watcher: Watcher):
    member, sent_to = await joined(world, watcher)
    call = make_waiting("batch-1/a/1", "a")
    chosen = world.executors.choose(WAIT)
    assert chosen is not None
    target, free = chosen
    assert world.executors.send(target, [call])
    await watcher.next(Started)
    answer = await look(world, watcher, call, sent_to)
    assert (answer.look.finding, answer.over) == (Finding.NOT_FOUND, False)
    await member.open_gate("a")
    assert (await watcher.next(Ended)).ending.over
    assert (await look(world, watcher, call, sent_to)).over
    assert world.executors.choose(WAIT) == (target, free), "it takes no slot"


async def test_the_start_that_it_was_sent_to_is_asked_if_it_can(world: World, watcher: Watcher):
    _, first = await joined(world, watcher)
    member, second = await joined(world, watcher)
    for sent_to in (first, second, second, first):
        answer = await look(world, watcher, make_waiting("batch-1/a/1", "b"), sent_to)
        assert answer.target == sent_to
    await member.restart()
    third = await watcher.connected()
    answer = await look(world, watcher, make_waiting("batch-1/a/1", "b"), second)
    assert (answer.target, answer.over) == (third, True), "another start of the same executor knows that one"
    await member.stop()
    await watcher.several(Lost, 2)
    answer = await look(world, watcher, make_waiting("batch-1/a/1", "b"), second)
    assert answer.target == first


async def test_of_a_start_that_it_does_not_know_it_cannot_say_that_it_is_over(world: World, watcher: Watcher):
    _, target = await joined(world, watcher)
    sent_to = Target(target.executor_id, "boot of a copy")
    call = make_waiting("batch-1/a/1", "b")
    assert not (await look(world, watcher, call, sent_to)).over
    assert not (await look(world, watcher, call, target, position=1)).over, "its journal does not stand there yet"
    assert (await look(world, watcher, call, target)).over


async def test_another_one_is_asked_where_there_is_one(world: World, watcher: Watcher):
    _, first = await joined(world, watcher)
    call = make_waiting("batch-1/a/1", "b")
    assert (await look(world, watcher, call, first, but=first)).target == first
    _, second = await joined(world, watcher)
    assert (await look(world, watcher, call, first, but=first)).target == second
    assert (await look(world, watcher, call, first, but=second)).target == first


async def test_nobody_is_asked_who_cannot(world: World, watcher: Watcher):
    assert world.executors.probe(make_waiting("batch-1/a/1"), NOBODY, 0) is None
    await joined(world, watcher)
    assert world.executors.probe(make_call("batch-1/a/1", ECHO), NOBODY, 0) is None
