"""What every adapter of the executors port does with looks for effects."""

import pytest

from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.proposal import Finding
from orchestrator_svc.ports.executor import Call, Ended, Looked, Lost, Started
from tests.conformance.executors.worlds import Member, World
from tests.support.calls import ECHO, WAIT, make_call, make_waiting
from tests.support.watching import Watcher


async def joined(world: World, watcher: Watcher) -> tuple[Member, str]:
    """A new member that may be used, and its executor's id."""
    member = await world.add()
    return member, (await watcher.connected()).executor_id


async def look(world: World, watcher: Watcher, call: Call, preferred: str = "") -> Looked:
    target = world.executors.probe(call, preferred)
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
    assert not answer.still_running


async def test_it_says_whether_the_call_is_at_work_there(world: World, watcher: Watcher):
    member, executor_id = await joined(world, watcher)
    call = make_waiting("batch-1/a/1", "a")
    chosen = world.executors.choose(WAIT)
    assert chosen is not None
    target, free = chosen
    assert world.executors.send(target, [call])
    await watcher.next(Started)
    answer = await look(world, watcher, call, executor_id)
    assert (answer.look.finding, answer.still_running) == (Finding.NOT_FOUND, True)
    await member.open_gate("a")
    assert (await watcher.next(Ended)).ending.over
    assert not (await look(world, watcher, call, executor_id)).still_running
    assert world.executors.choose(WAIT) == (target, free), "it takes no slot"


async def test_the_preferred_one_is_asked_if_it_can(world: World, watcher: Watcher):
    _, first = await joined(world, watcher)
    member, second = await joined(world, watcher)
    for preferred in (first, second, second, first):
        answer = await look(world, watcher, make_waiting("batch-1/a/1", "b"), preferred)
        assert answer.target.executor_id == preferred
    await member.stop()
    await watcher.next(Lost)
    answer = await look(world, watcher, make_waiting("batch-1/a/1", "b"), second)
    assert answer.target.executor_id == first


async def test_nobody_is_asked_who_cannot(world: World, watcher: Watcher):
    assert world.executors.probe(make_waiting("batch-1/a/1"), "") is None
    await joined(world, watcher)
    assert world.executors.probe(make_call("batch-1/a/1", ECHO), "") is None
