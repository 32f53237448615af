"""What every adapter of the executors port does when streams break, executors go, and others come."""

from orchestrator_svc.domain.tool import KnownEffect
from orchestrator_svc.ports.executor import (
    Attached,
    CapacityChanged,
    Ended,
    Lost,
    Reminded,
    Started,
)
from tests.conformance.executors.worlds import World
from tests.support.calls import ECHO, WAIT, make_ask, make_call, make_cancel, make_waiting
from tests.support.watching import Watcher


async def test_a_lost_stream_takes_its_slots_along_and_comes_back(world: World, watcher: Watcher):
    member = await world.add()
    target = await watcher.connected()
    world.executors.send(target, [make_waiting("b/a/1"), make_waiting("b/b/1")])
    await watcher.several(Started, 2)
    await member.cut()
    assert (await watcher.next(Lost)).target == target
    assert world.executors.connected_count() == 0
    assert not world.executors.serves(WAIT)
    assert world.executors.choose(WAIT) is None
    assert not world.executors.send(target, [make_call("b/c/1")])
    assert not world.executors.attach(target, [make_ask("b/a/1", target.boot_id)])
    world.executors.cancel(target, [make_cancel("b/a/1")])
    world.executors.acknowledge(target, ["b/a/1"])
    assert [view.connected for view in world.executors.views()] == [False]
    await member.reconnect()
    assert await watcher.connected() == target
    assert world.executors.attach(target, [make_ask("b/a/1", target.boot_id)])
    assert await watcher.next(Attached) == Attached("b/a/1", "running")
    await member.open_gate("a")
    assert (await watcher.next(Ended)).call_id == "b/a/1"
    assert watcher.unread(Ended) == []
    assert member.ran() == []


async def test_a_call_gets_the_slot_of_one_that_nobody_hears_any_more(world: World, watcher: Watcher):
    member = await world.add(slots=1)
    target = await watcher.connected()
    world.executors.send(target, [make_waiting("b/a/1")])
    await watcher.next(Started, call_id="b/a/1")
    await member.cut()
    await watcher.next(Lost)
    await member.reconnect()
    assert await watcher.connected() == target
    world.executors.send(target, [make_call("b/b/1")])
    await member.open_gate("a")
    assert (await watcher.next(Ended)).call_id == "b/b/1"
    assert watcher.unread(Ended) == []


async def test_an_ending_that_nobody_heard_is_kept_for_who_asks(world: World, watcher: Watcher):
    member = await world.add()
    target = await watcher.connected()
    world.executors.send(target, [make_waiting("b/a/1")])
    await watcher.next(Started)
    await member.cut()
    await watcher.next(Lost)
    await member.open_gate("a")
    await member.reconnect()
    assert await watcher.connected() == target
    world.executors.attach(target, [make_ask("b/a/1", target.boot_id)])
    await watcher.next(Attached, call_id="b/a/1")
    ended = await watcher.next(Ended)
    assert (ended.call_id, ended.ending.result) == ("b/a/1", '"a"')
    world.executors.acknowledge(target, ["b/a/1"])
    assert world.executors.choose(WAIT) == (target, 8)


async def test_of_an_ending_that_nobody_acknowledges_one_is_reminded(world: World, watcher: Watcher):
    member = await world.add()
    target = await watcher.connected()
    call = make_call("b/a/1")
    world.executors.send(target, [call])
    ended = await watcher.next(Ended)
    await member.remind("b/a/1")
    reminded = await watcher.next(Reminded)
    assert (reminded.call_id, reminded.tenant, reminded.target) == ("b/a/1", call.origin.tenant, target)
    assert reminded.ending.result == ended.ending.result
    world.executors.acknowledge(target, ["b/a/1"])


async def test_what_was_never_seen_never_runs(world: World, watcher: Watcher):
    member = await world.add()
    target = await watcher.connected()
    world.executors.attach(target, [make_ask("b/a/1", target.boot_id)])
    assert await watcher.next(Attached) == Attached("b/a/1", "never_seen")
    assert world.executors.choose(ECHO) == (target, 8)
    world.executors.send(target, [make_call("b/a/1")])
    failure = (await watcher.next(Ended)).ending.failure
    assert failure is not None
    assert (failure.reason, failure.known_effect, failure.refused) == ("CALL_FENCED", KnownEffect.NONE, True)
    assert member.ran() == []


async def test_of_two_owners_of_a_batch_the_later_one_has_its_calls(world: World, watcher: Watcher):
    member = await world.add()
    target = await watcher.connected()
    executors = world.executors
    executors.send(target, [make_waiting("batch-1/a/1"), make_waiting("batch-1/b/1")])
    await watcher.several(Started, 2)
    executors.attach(target, [make_ask("batch-1/a/1", target.boot_id, epoch=2)])
    assert await watcher.next(Attached) == Attached("batch-1/a/1", "running")
    executors.cancel(target, [make_cancel("batch-1/b/1", 1), make_cancel("batch-1/a/1", 1)])
    executors.attach(target, [make_ask("batch-1/a/1", target.boot_id, epoch=1)])
    assert await watcher.next(Attached) == Attached("batch-1/a/1", "cannot_say")
    executors.attach(target, [make_ask("batch-1/a/1", target.boot_id, epoch=2)])
    assert await watcher.next(Attached) == Attached("batch-1/a/1", "running")
    await member.open_gate("a")
    ended = await watcher.several(Ended, 2)
    assert {one.call_id: one.ending.result for one in ended} == {"batch-1/a/1": '"a"', "batch-1/b/1": '"a"'}


async def test_the_later_owner_stops_what_the_earlier_one_sent(world: World, watcher: Watcher):
    await world.add()
    target = await watcher.connected()
    world.executors.send(target, [make_waiting("batch-1/a/1")])
    await watcher.next(Started)
    world.executors.cancel(target, [make_cancel("batch-1/a/1", 2)])
    failure = (await watcher.next(Ended)).ending.failure
    assert failure is not None
    assert failure.reason == "CANCELLED"


async def test_attaching_takes_slots(world: World, watcher: Watcher):
    member = await world.add(slots=2)
    target = await watcher.connected()
    world.executors.send(target, [make_waiting("b/a/1"), make_waiting("b/b/1")])
    await watcher.several(Started, 2)
    world.executors.attach(target, [make_ask("b/a/1", target.boot_id)])  # open here already: takes no second one
    assert (await watcher.next(Attached)).state == "running"
    await member.cut()
    await watcher.next(Lost)
    await member.reconnect()
    assert await watcher.connected() == target
    world.executors.attach(target, [make_ask("b/a/1", target.boot_id), make_ask("b/b/1", target.boot_id)])
    await watcher.several(Attached, 2)
    assert [view.in_flight for view in world.executors.views()] == [2]
    assert world.executors.choose(ECHO) is None
    await member.open_gate("a")
    await watcher.several(Ended, 2)
    assert [view.in_flight for view in world.executors.views()] == [0]


async def test_another_start_is_another_target(world: World, watcher: Watcher):
    member = await world.add()
    target = await watcher.connected()
    await member.stop()
    assert (await watcher.next(Lost)).target == target
    await world.add()
    again = await watcher.connected()
    assert again != target
    assert not world.executors.attach(target, [make_ask("b/a/1", target.boot_id)])
    assert not world.executors.send(target, [make_call()])
    assert world.executors.choose(ECHO) == (again, 8)


async def test_a_draining_executor_ends_what_runs_and_takes_nothing_more(world: World, watcher: Watcher):
    member = await world.add()
    target = await watcher.connected()
    world.executors.send(target, [make_waiting("b/a/1")])
    await watcher.next(Started)
    await member.drain()
    while world.executors.serves(ECHO):
        await watcher.next(CapacityChanged)
    assert world.executors.choose(ECHO) is None
    assert not world.executors.send(target, [make_call("b/b/1")])
    assert [view.draining for view in world.executors.views()] == [True]
    await member.open_gate("a")
    assert (await watcher.next(Ended)).ending.result == '"a"'


async def test_calls_are_shared_out(world: World, watcher: Watcher):
    await world.add()
    await world.add()
    targets = {await watcher.connected(), await watcher.connected()}
    assert world.executors.connected_count() == 2
    sent = dict.fromkeys(targets, 0)
    for number in range(16):
        choice = world.executors.choose(WAIT)
        assert choice is not None
        target, free = choice
        assert free == 8 - sent[target]
        sent[target] += 1
        world.executors.send(target, [make_waiting(f"b/k{number}/1")])
    assert set(sent.values()) == {8}
    assert world.executors.choose(WAIT) is None
    views = world.executors.views()
    assert [view.executor_id for view in views] == sorted(target.executor_id for target in targets)
