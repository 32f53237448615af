"""Executors that answer for what they never got, twice, or with garbage: logged once, ignored, and slots stay right."""

import asyncio

import grpc
import pytest

from greenlight.executor.v1 import executor_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from orchestrator_svc.adapters.executor.grpc import GrpcExecutors
from orchestrator_svc.domain.tool import KnownEffect
from orchestrator_svc.ports.executor import (
    Attached,
    ChunkReceived,
    Connected,
    Ended,
    Lost,
    Progressed,
    Reminded,
    Started,
)
from shared.kernel.clock import SystemClock
from tests.component.executors.connecting import connect
from tests.support.calls import ECHO, make_ask, make_call, make_calls
from tests.support.scripted_executor import ScriptedExecutor
from tests.support.watching import Watcher


async def test_hello_comes_first(scripted: ScriptedExecutor, executors: GrpcExecutors):
    conversation = await scripted.next()
    request = await conversation.requests.get()
    assert (request.hello.incarnation_id, request.hello.version) == ("incarnation-1", "0.1")


async def test_an_outcome_of_a_call_it_never_got(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher, caplog: pytest.LogCaptureFixture
):
    conversation, target = await connect(scripted, watcher)
    executors.send(target, [make_call("b/a/1")])
    await conversation.calls(1)
    for number in range(5):
        await conversation.succeed(f"never/sent/{number}")
    await conversation.succeed("b/a/1")
    assert (await watcher.next(Ended)).call_id == "b/a/1"
    assert executors.choose(ECHO) == (target, 8)
    assert len([record for record in caplog.records if "not open here" in record.message]) == 1


async def test_reminders_that_name_no_call(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher, caplog: pytest.LogCaptureFixture
):
    conversation, _ = await connect(scripted, watcher)
    names = [("default", call_id) for call_id in ("", "b", "b/a", "b/a/0", "b/a/-1", "b/a/x", "b/a/1/2", "b/\x00/1")]
    reminders = [pb.Reminder(tenant=tenant, outcome=pb.Outcome(call_id=call_id)) for tenant, call_id in names]
    reminders += [pb.Reminder(tenant="No Tenant", outcome=pb.Outcome(call_id="b/a/1")), pb.Reminder()]
    await conversation.say(reminders=reminders)
    await conversation.say(reminders=[pb.Reminder(tenant="acme", outcome=pb.Outcome(call_id="b/a/1"))])
    reminded = await watcher.next(Reminded)
    assert (reminded.call_id, reminded.tenant) == ("b/a/1", "acme")
    assert reminded.ending.failure is not None
    assert reminded.ending.failure.reason == "OUTCOME_MALFORMED"
    assert len([record for record in caplog.records if "names no call" in record.message]) == 1


async def test_two_answers_free_one_slot(scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher):
    conversation, target = await connect(scripted, watcher)
    executors.send(target, make_calls(2))
    one, other = await conversation.calls(2)
    await conversation.succeed(one.id, one.id)
    await conversation.succeed(one.id)
    assert (await watcher.next(Ended)).call_id == one.id
    assert executors.choose(ECHO) == (target, 7)
    await conversation.succeed(other.id)
    assert (await watcher.next(Ended)).call_id == other.id
    assert executors.choose(ECHO) == (target, 8)


async def test_outcomes_without_sense_are_failures_of_their_calls(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher
):
    conversation, target = await connect(scripted, watcher)
    executors.send(target, make_calls(3))
    calls = await conversation.calls(3)
    await conversation.say(
        outcomes=[
            pb.Outcome(call_id=calls[0].id),
            pb.Outcome(call_id=calls[1].id, result_json="{"),
            pb.Outcome(call_id=calls[2].id, failure=tool_pb2.Failure()),
        ]
    )
    failures = [signal.ending.failure for signal in await watcher.several(Ended, 3)]
    assert [(failure.reason, failure.known_effect) for failure in failures if failure] == [
        ("OUTCOME_MALFORMED", KnownEffect.POSSIBLE),
        ("RESULT_NOT_JSON", KnownEffect.DONE),
        ("REASON_MALFORMED", KnownEffect.POSSIBLE),
    ]
    assert executors.choose(ECHO) == (target, 8)


async def test_words_about_unknown_calls_are_ignored(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher
):
    conversation, target = await connect(scripted, watcher)
    executors.send(target, [make_call("b/a/1")])
    await conversation.calls(1)
    await conversation.say(
        accepted=[pb.Accepted(call_id="no"), pb.Accepted(call_id="b/a/1")],
        progress=[pb.Progress(call_id="no"), pb.Progress(call_id="b/a/1", fraction=2.0)],
        chunks=[
            pb.Chunk(call_id="no", chunk_json="1"),
            pb.Chunk(call_id="b/a/1", chunk_json="{"),
            pb.Chunk(call_id="b/a/1", index=1, chunk_json="1"),
        ],
        attach_answers=[pb.AttachAnswer(call_id="b/a/1", state=pb.ATTACH_STATE_NEVER_SEEN)],
    )
    await conversation.succeed("b/a/1")
    await watcher.next(Ended)
    (started,) = watcher.unread(Started)
    assert (started.call_id, started.start_time > 0) == ("b/a/1", True)
    assert watcher.unread(Progressed) == [Progressed("b/a/1", 1.0, "")]
    assert watcher.unread(ChunkReceived) == [ChunkReceived("b/a/1", 1, "1")]
    assert watcher.unread(Attached) == []


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", b"\x3a\x05\x0a\x03\xff\xfe\xfd"])
async def test_bytes_that_are_no_message_end_the_stream_and_it_comes_back(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher, garbage: bytes
):
    conversation, target = await connect(scripted, watcher)
    executors.send(target, [make_call("b/a/1")])
    await conversation.calls(1)
    await conversation.say_bytes(garbage)
    assert (await watcher.next(Lost)).target == target
    assert not executors.attach(target, [make_ask("b/a/1", target.boot_id)])
    conversation, again = await connect(scripted, watcher)
    assert again == target
    assert executors.attach(target, [make_ask("b/a/1", target.boot_id)])
    assert executors.choose(ECHO) == (target, 7)
    request = await conversation.requests.get()
    while not request.attaches:
        request = await conversation.requests.get()
    assert [(attach.call_id, attach.boot_id) for attach in request.attaches] == [("b/a/1", "boot-1")]


@pytest.mark.parametrize(
    "first",
    [
        {},
        {"identity": pb.Identity(executor_id="e")},
        {"outcomes": [pb.Outcome(call_id="b/a/1", result_json="1")]},
    ],
)
async def test_who_does_not_say_who_it_is_is_not_connected(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher, first: dict[str, object]
):
    await (await scripted.next()).say(**first)
    _, target = await connect(scripted, watcher)
    assert executors.connected_count() == 1
    assert [signal.target for signal in watcher.unread(Connected)] == []
    assert target.executor_id == "scripted"


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.CANCELLED, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL, None]
)
async def test_however_the_stream_ends_it_comes_back(
    scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher, code: grpc.StatusCode | None
):
    conversation, target = await connect(scripted, watcher)
    conversation.end(code, "for a reason")
    assert (await watcher.next(Lost)).target == target
    assert not executors.serves(ECHO)
    assert executors.connected_count() == 0
    assert not executors.send(target, [make_call()])
    (view,) = executors.views()
    assert not view.connected
    _, again = await connect(scripted, watcher)
    assert again == target
    assert [view.connected for view in executors.views()] == [True]


async def test_a_new_start_is_another_target(scripted: ScriptedExecutor, executors: GrpcExecutors, watcher: Watcher):
    conversation, target = await connect(scripted, watcher)
    conversation.end()
    conversation = await scripted.next()
    await conversation.greet(boot_id="boot-2")
    again = await watcher.connected()
    assert (target.boot_id, again.boot_id) == ("boot-1", "boot-2")
    assert not executors.attach(target, [make_ask("b/a/1", target.boot_id)])
    assert [view.boot_id for view in executors.views()] == ["boot-2"]


async def test_two_addresses_of_one_executor_are_one_executor(scripted: ScriptedExecutor):
    async with ScriptedExecutor() as second:
        executors = GrpcExecutors(
            [scripted.address, second.address], incarnation_id="i", version="0", clock=SystemClock()
        )
        await executors.start()
        watcher = Watcher(executors)
        _, target = await connect(scripted, watcher)
        duplicate = await second.next()
        await duplicate.greet()
        await duplicate.gone.wait()
        assert executors.connected_count() == 1
        assert executors.choose(ECHO) == (target, 8)
        await executors.close()


async def test_closing_ends_while_streams_break(scripted: ScriptedExecutor):
    for turns in range(40):
        executors = GrpcExecutors([scripted.address], incarnation_id="i", version="0", clock=SystemClock())
        await executors.start()
        conversation, _ = await connect(scripted, Watcher(executors))
        conversation.end(grpc.StatusCode.INTERNAL, "now")
        for _ in range(turns):
            await asyncio.sleep(0)
        await executors.close()
        while not scripted.conversations.empty():
            scripted.conversations.get_nowait()
