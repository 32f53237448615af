"""What every adapter of the executors port does with calls, on a stream that lasts."""

import json

import pytest

from orchestrator_svc.domain.tool import Effect, FailureClass, KnownEffect, ToolKey
from orchestrator_svc.ports.executor import (
    Call,
    CapacityChanged,
    ChunkReceived,
    Connected,
    Ended,
    Progressed,
    Started,
    ToolsSeen,
)
from tests.conformance.executors.worlds import World
from tests.support.calls import ECHO, LIMITED, REFUSE, TALK, WAIT, make_call, make_calls, make_cancel, make_waiting
from tests.support.watching import Watcher


async def test_tools_are_used_once_they_are_confirmed(world: World, watcher: Watcher):
    await world.add()
    target = (await watcher.next(Connected)).target
    seen = await watcher.next(ToolsSeen)
    assert seen.target == target
    effects = {str(descriptor.key): descriptor.effect for descriptor in seen.descriptors}
    assert effects == {
        "echo@1": Effect.READ,
        "limited@1": Effect.READ,
        "refuse@1": Effect.READ,
        "talk@1": Effect.READ,
        "wait@1": Effect.NON_IDEMPOTENT,
    }
    assert world.executors.connected_count() == 1
    assert not world.executors.serves(ECHO)
    assert world.executors.choose(ECHO) is None
    world.executors.use_tools(target, [ECHO, ToolKey("echo", "9")], [WAIT])
    await watcher.next(CapacityChanged)
    assert world.executors.serves(ECHO)
    assert world.executors.choose(ECHO) == (target, 8)
    for tool in (WAIT, ToolKey("echo", "9")):
        assert not world.executors.serves(tool)
        assert world.executors.choose(tool) is None
    (view,) = world.executors.views()
    assert (view.executor_id, view.boot_id) == target
    assert (view.tools, view.conflicting_tools) == (["echo@1"], ["wait@1"])
    assert (view.connected, view.draining, view.in_flight, view.capacity) == (True, False, 0, 8)


async def test_a_call_ends_with_its_result_and_times(world: World, watcher: Watcher):
    await world.add()
    target = await watcher.connected()
    assert world.executors.send(target, [make_call("b/a/1", arguments='{"value":[1,"\u20ac"]}')])
    ended = await watcher.next(Ended)
    assert ended.call_id == "b/a/1"
    assert json.loads(ended.ending.result or "") == {"value": [1, "\u20ac"]}
    assert ended.ending.failure is None
    assert None not in (ended.ending.start_time, ended.ending.executor_queue, ended.ending.tool)
    assert ended.ending.wire is None
    assert ended.received > 0


async def test_a_failed_call_is_an_ending(world: World, watcher: Watcher):
    await world.add()
    target = await watcher.connected()
    world.executors.send(target, [make_call("b/a/1", REFUSE)])
    failure = (await watcher.next(Ended)).ending.failure
    assert failure is not None
    assert (failure.failure_class, failure.known_effect) == (FailureClass.PERMANENT, KnownEffect.NONE)
    assert (failure.reason, failure.refused) == ("NOT_TODAY", False)


async def test_many_calls_end_once_each(world: World, watcher: Watcher):
    await world.add(slots=300)
    target = await watcher.connected()
    calls = make_calls(300)
    world.executors.send(target, calls)
    ended = await watcher.several(Ended, 300)
    assert {signal.call_id for signal in ended} == {call.id for call in calls}
    assert watcher.unread(Ended) == []
    assert world.executors.choose(ECHO) == (target, 300)


async def test_slots_are_taken_by_sending_and_freed_by_endings(world: World, watcher: Watcher):
    member = await world.add(slots=3)
    target = await watcher.connected()
    world.executors.send(target, [make_waiting("b/a/1"), make_waiting("b/b/1", "b")])
    assert world.executors.choose(WAIT) == (target, 1)
    assert world.executors.choose(ECHO) == (target, 1)
    world.executors.send(target, [make_waiting("b/c/1", "b")])
    assert world.executors.choose(ECHO) is None
    assert world.executors.serves(ECHO)
    assert [view.in_flight for view in world.executors.views()] == [3]
    await member.open_gate("a")
    assert (await watcher.next(Ended)).call_id == "b/a/1"
    assert world.executors.choose(ECHO) == (target, 1)


async def test_a_tool_s_own_limit(world: World, watcher: Watcher):
    member = await world.add()
    target = await watcher.connected()
    assert world.executors.choose(LIMITED) == (target, 2)
    world.executors.send(target, [make_waiting("b/a/1", tool=LIMITED), make_waiting("b/b/1", tool=LIMITED)])
    assert world.executors.choose(LIMITED) is None
    assert world.executors.choose(ECHO) == (target, 6)
    await member.open_gate("a")
    await watcher.several(Ended, 2)
    assert world.executors.choose(LIMITED) == (target, 2)


async def test_what_is_sent_beyond_the_grant_waits_for_it(world: World, watcher: Watcher):
    member = await world.add(slots=1)
    target = await watcher.connected()
    world.executors.send(target, [make_waiting("b/a/1"), make_call("b/b/1")])
    await watcher.next(Started, call_id="b/a/1")
    assert member.ran() == []
    await member.open_gate("a")
    assert [signal.call_id for signal in await watcher.several(Ended, 2)] == ["b/a/1", "b/b/1"]


async def test_a_running_call_is_heard_of(world: World, watcher: Watcher):
    member = await world.add()
    target = await watcher.connected()
    world.executors.send(target, [make_waiting("b/a/1", tool=TALK)])
    assert (await watcher.next(Started)).call_id == "b/a/1"
    assert await watcher.next(Progressed) == Progressed("b/a/1", 0.5, "half")
    chunk = await watcher.next(ChunkReceived)
    assert (chunk.call_id, chunk.number, json.loads(chunk.chunk)) == ("b/a/1", 0, {"part": 1})
    await member.open_gate("a")
    assert (await watcher.next(Ended)).ending.result == '"a"'


async def test_cancelling_gives_the_call_its_ending(world: World, watcher: Watcher):
    await world.add()
    target = await watcher.connected()
    world.executors.send(target, [make_waiting("b/a/1")])
    await watcher.next(Started)
    world.executors.cancel(target, [make_cancel("b/a/1"), make_cancel("never/sent/1")])
    ended = await watcher.next(Ended)
    assert ended.call_id == "b/a/1"
    assert ended.ending.failure is not None
    assert ended.ending.failure.failure_class is FailureClass.CANCELLED
    assert world.executors.choose(WAIT) == (target, 8)


async def test_a_cancel_right_behind_its_call_arrives_behind_it(world: World, watcher: Watcher):
    await world.add()
    target = await watcher.connected()
    calls = [make_waiting(f"b/k{number}/1") for number in range(8)]
    world.executors.send(target, calls)
    world.executors.cancel(target, [make_cancel(call.id) for call in calls])
    failures = [signal.ending.failure for signal in await watcher.several(Ended, 8)]
    assert {failure.failure_class for failure in failures if failure} == {FailureClass.CANCELLED}


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (make_call("b/a/1", ToolKey("nothing", "1")), "TOOL_UNKNOWN"),
        (make_call("b/a/1", ToolKey("echo", "2")), "TOOL_UNKNOWN"),
        (make_call("b/a/1")._replace(digest="sha256:" + "0" * 64), "DIGEST_MISMATCH"),
        (make_call("b/a/1")._replace(arguments='{"value":1}'), "DIGEST_MISMATCH"),
    ],
)
async def test_a_refusal_has_no_effect_and_takes_no_attempt(world: World, watcher: Watcher, call: Call, reason: str):
    member = await world.add()
    target = await watcher.connected()
    world.executors.send(target, [call])
    failure = (await watcher.next(Ended)).ending.failure
    assert failure is not None
    assert (failure.reason, failure.known_effect, failure.refused) == (reason, KnownEffect.NONE, True)
    assert world.executors.choose(ECHO) == (target, 8)
    assert member.ran() == []


async def test_the_same_call_runs_once_and_is_answered_again(world: World, watcher: Watcher):
    member = await world.add()
    target = await watcher.connected()
    for _ in range(2):
        world.executors.send(target, [make_call("b/a/1", arguments='{"value":1}')])
        assert (await watcher.next(Ended)).ending.failure is None
    world.executors.send(target, [make_call("b/a/1", arguments='{"value":2}')])
    failure = (await watcher.next(Ended)).ending.failure
    assert failure is not None
    assert failure.reason == "CALL_ID_REUSED"
    assert len(member.ran()) == 1
