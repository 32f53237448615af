"""What is sent follows what an executor grants and describes at the moment, also where it changes its mind."""

from greenlight.executor.v1 import executor_pb2 as pb
from orchestrator_svc.adapters.executor.grpc import GrpcExecutors
from orchestrator_svc.domain.tool import FailureClass, KnownEffect, ToolKey
from orchestrator_svc.ports.executor import (
    CapacityChanged,
    Connected,
    Ended,
    Lost,
    Target,
    ToolsSeen,
)
from tests.component.executors.connecting import connect
from tests.support.calls import ECHO, make_call, make_calls, make_cancel
from tests.support.scripted_executor import Conversation, ScriptedExecutor, described
from tests.support.watching import Watcher


async def test_malformed_tools_are_shown_and_not_used(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher
):
    conversation = await scripted.next()
    await conversation.greet([described(), described("bad", effect=0), described("ugly", arguments_schema_json="{")])
    target = (await watcher.next(Connected)).target
    seen = await watcher.next(ToolsSeen)
    assert [descriptor.key for descriptor in seen.descriptors] == [ECHO]
    executors.use_tools(target, [ECHO, ToolKey("bad", "1"), ToolKey("never described", "1")], [ToolKey("other", "1")])
    assert executors.serves(ECHO)
    assert not executors.serves(ToolKey("bad", "1"))
    assert not executors.serves(ToolKey("never described", "1"))
    (view,) = executors.views()
    assert (view.tools, view.conflicting_tools) == (["echo@1"], ["bad@1", "other@1", "ugly@1"])


async def test_no_slots_are_no_slots(scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher):
    conversation, _ = await connect(scripted, watcher, slots=-5)
    assert executors.serves(ECHO)
    assert executors.choose(ECHO) is None
    await conversation.say(slots=pb.SlotGrant(total=2, tools=[pb.ToolSlots(tool="echo", version="1", total=-1)]))
    await watcher.next(CapacityChanged)
    assert executors.choose(ECHO) is None


async def test_calls_that_were_not_sent_when_it_broke_had_no_effect(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher
):
    conversation, target = await connect(scripted, watcher, slots=2)
    executors.send(target, make_calls(2))
    await conversation.calls(2)
    executors.send(target, [make_call("b/late/1")])  # placed before, sent after the grant was used up
    conversation.end()
    ended = await watcher.next(Ended)
    assert ended.call_id == "b/late/1"
    failure = ended.ending.failure
    assert failure is not None
    assert (failure.known_effect, failure.refused) == (KnownEffect.NONE, True)
    await watcher.next(Lost)
    assert watcher.unread(Ended) == []


async def test_a_call_is_not_sent_beyond_the_grant(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher
):
    conversation, target = await connect(scripted, watcher, slots=1)
    executors.send(target, [make_call("b/one/1"), make_call("b/two/1")])
    assert [call.id for call in await conversation.calls(1)] == ["b/one/1"]
    assert conversation.requests.empty()
    await conversation.succeed("b/one/1")
    assert [call.id for call in await conversation.calls(1)] == ["b/two/1"]


async def test_a_draining_executor_gets_nothing_more(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher
):
    conversation, target = await connect(scripted, watcher, slots=1)
    executors.send(target, [make_call("b/one/1"), make_call("b/two/1")])
    await conversation.calls(1)
    await conversation.say(draining=True)
    ended = await watcher.next(Ended)
    assert (ended.call_id, ended.ending.failure and ended.ending.failure.refused) == ("b/two/1", True)
    assert not executors.serves(ECHO)
    assert not executors.send(target, [make_call("b/three/1")])
    assert [view.draining for view in executors.views()] == [True]
    await conversation.succeed("b/one/1")
    assert (await watcher.next(Ended)).call_id == "b/one/1"


async def test_a_cancel_never_overtakes_its_call(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher
):
    _, target = await connect(scripted, watcher, slots=1)
    executors.send(target, [make_call("b/one/1"), make_call("b/two/1")])
    executors.cancel(target, [make_cancel("b/one/1"), make_cancel("b/two/1")])
    ended = {signal.call_id: signal.ending.failure for signal in await watcher.several(Ended, 2)}
    for failure in ended.values():
        assert failure is not None
        assert (failure.failure_class, failure.known_effect) == (FailureClass.CANCELLED, KnownEffect.NONE)
    assert set(ended) == {"b/one/1", "b/two/1"}


async def test_tools_that_change_are_confirmed_anew(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher
):
    conversation, target = await connect(scripted, watcher)
    other = ToolKey("other", "1")
    await conversation.say(tools=[described(), described("other")])
    seen = await watcher.next(ToolsSeen)
    assert {descriptor.key for descriptor in seen.descriptors} == {ECHO, other}
    assert executors.serves(ECHO)
    assert not executors.serves(other)
    executors.use_tools(target, [ECHO, other], [])
    assert executors.serves(other)
    await conversation.say(tools=[described(description="something else"), described("other")])
    await watcher.next(ToolsSeen)
    assert not executors.serves(ECHO)
    assert executors.serves(other)


async def acknowledging(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher
) -> tuple[Conversation, Target]:
    """A stream that an acknowledgement waits on, for something to go with."""
    conversation, target = await connect(scripted, watcher)
    executors.send(target, [make_call("b/a/1")])
    await conversation.calls(1)
    executors.acknowledge(target, ["b/a/1"])
    return conversation, target


async def test_what_ended_last_is_acknowledged_before_it_closes(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher
):
    conversation, _ = await acknowledging(scripted, executors, watcher)
    await executors.close()
    await conversation.gone.wait()
    acknowledged: list[str] = []
    while not conversation.requests.empty():
        acknowledged += conversation.requests.get_nowait().acknowledgements
    assert acknowledged == ["b/a/1"]


async def test_what_could_not_be_acknowledged_is_when_it_is_back(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher
):
    conversation, target = await acknowledging(scripted, executors, watcher)
    conversation.end()
    await watcher.next(Lost)
    executors.acknowledge(target, ["b/b/1"])
    conversation, _ = await connect(scripted, watcher, boot_id="another")
    while not (request := await conversation.requests.get()).acknowledgements:
        pass
    assert list(request.acknowledgements) == ["b/a/1", "b/b/1"]
