"""What a peer may send that it should not: refused before any effect, and nobody else notices."""

import json
from typing import Any, cast

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from greenlight.executor.v1 import executor_pb2 as pb
from tests.support.executor import Executor, Peer, call, failure, origin, result
from tests.support.gates import GATES

SERVICE = "/greenlight.executor.v1.ExecutorService/"


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({}, "text"),
        ({"text": 1}, "text"),
        ({"text": "a", "more": 1}, "more"),
        ("[]", ""),
        ("", ""),
        ("{", ""),
        ('{"text":NaN}', ""),
        ('{"text":"a","text":"b"}', "the member 'text' stands twice in one object; keep one of them"),
        ('{"text":1e400}', "the number 1e400 is too large for a double; send it as a string"),
        ('{"text":1' + "0" * 5000 + "}", "an integer has more than 1,000 digits; send it as a string"),
        ('{"text":"\\ud800"}', ""),
        ('{"text":' + "[" * 50_000 + "]" * 50_000 + "}", ""),
    ],
)
async def test_arguments_that_do_not_fit(peer: Peer, arguments: object, where: str):
    outcome = await peer.run("a", "write", arguments)
    assert failure(outcome) == ("INVALID_ARGUMENT", "NONE", "ARGUMENTS_INVALID")
    assert outcome.failure.refused
    assert where in outcome.failure.message
    assert not outcome.HasField("start_time")
    assert GATES.runs == []


@pytest.mark.parametrize(
    ("field", "value", "failed"),
    [
        ("tool", "no_such_tool", ("UNAVAILABLE", "NONE", "TOOL_UNKNOWN")),
        ("version", "2", ("UNAVAILABLE", "NONE", "TOOL_UNKNOWN")),
        ("version", "", ("UNAVAILABLE", "NONE", "TOOL_UNKNOWN")),
        ("digest", "", ("PERMANENT", "NONE", "DIGEST_MISMATCH")),
        ("digest", "sha256:" + "0" * 64, ("PERMANENT", "NONE", "DIGEST_MISMATCH")),
        ("arguments_json", '{"text":"b"}', ("PERMANENT", "NONE", "DIGEST_MISMATCH")),
        ("origin", 1, ("INVALID_ARGUMENT", "NONE", "ORIGIN_INVALID")),
        ("origin", -1, ("INVALID_ARGUMENT", "NONE", "ORIGIN_INVALID")),
        ("id", "", ("INVALID_ARGUMENT", "NONE", "CALL_ID_INVALID")),
    ],
)
async def test_calls_that_are_wrong(peer: Peer, field: str, value: object, failed: tuple[str, str, str]):
    made = call("a", "write", {"text": "a"})
    setattr(made, field, value)
    await peer.send(made, call("b", "echo", {"value": 1}))
    outcome = await peer.outcome(made.id)
    assert failure(outcome) == failed
    assert outcome.failure.refused
    assert "write" not in GATES.runs


@pytest.mark.parametrize("seconds", [0, -1])
async def test_a_timeout_that_is_none(peer: Peer, seconds: float):
    assert failure(await peer.run("a", "write", {"text": "a"}, timeout=seconds))[2] == "TIMEOUT_INVALID"


async def test_a_timeout_of_ages(peer: Peer):
    made = call("a", "about")
    made.timeout.seconds = 315_576_000_000
    await peer.send(made)
    assert result(await peer.outcome(made.id))["remaining"] is False


@pytest.mark.parametrize("context", ["{", "[]", "1"])
async def test_context_values_that_are_no_object(peer: Peer, context: str):
    made = call("a", "about")
    await peer.send(made, origins=[origin(context_json=context)])
    assert failure(await peer.outcome(made.id)) == ("INVALID_ARGUMENT", "NONE", "CONTEXT_INVALID")


async def test_odd_ids_of_traces_are_left_aside(peer: Peer):
    made = call("a", "echo", {"value": 1}, span_id=b"short")
    await peer.send(made, origins=[origin(trace_id=b"not sixteen")])
    assert result(await peer.outcome(made.id)) == 1


async def test_empty_and_repeated_messages(peer: Peer):
    await peer.send()
    await peer.send(frame=pb.CallFrame())
    await peer.send(hello=pb.Hello(incarnation_id="a", version="b"))
    await peer.send(hello=pb.Hello())
    await peer.send(cancels=["", "x"], acknowledgements=["", "x"])
    assert result(await peer.run("a", "echo", {"value": 1})) == 1


async def test_bytes_that_are_no_message(exe: Executor, peer: Peer):
    garbage = exe.channel.stream_stream(SERVICE + "Execute")()
    await garbage.read()
    await garbage.write(b"\xff" * 100)
    assert await garbage.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert result(await peer.run("a", "echo", {"value": 1})) == 1


async def test_a_message_beyond_the_limit(exe: Executor, peer: Peer):
    huge = await exe.connect()
    await huge.send(call("a", "echo", {"value": "x" * (17 << 20)}))
    await huge.until_over()
    assert huge.ended is not None
    assert huge.ended.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(huge.ended)[0] == "REQUEST_TOO_LARGE"
    assert result(await peer.run("b", "echo", {"value": 1})) == 1


async def test_a_peer_that_never_reads(exe: Executor, peer: Peer):
    silent = exe.stub.Execute()
    await silent.read()
    for number in range(20):
        request = pb.ExecuteRequest(frame=pb.CallFrame(origins=[origin()]))
        request.frame.calls.append(call(f"silent {number}", "echo", {"value": "x" * 900_000}))
        await silent.write(request)
    for number in range(20):
        assert result(await peer.run(f"b {number}", "echo", {"value": number})) == number
    silent.cancel()


# CallTool, ListTools

BAD_JSON = ("INVALID_ARGUMENT", "ARGUMENTS_INVALID", ["arguments_json"])


def details(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, str], list[str]]:
    """Reason, metadata and the fields that are named."""
    status: Any = rpc_status.from_call(cast(Any, error))
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(request)
    assert info.domain == "greenlight"
    return info.reason, dict(info.metadata), [violation.field for violation in request.field_violations]


async def refused(exe: Executor, request: pb.CallToolRequest, **options: object) -> tuple[str, str, list[str]]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await exe.stub.CallTool(request, **options)
    reason, _, fields = details(raised.value)
    return raised.value.code().name, reason, fields


async def test_one_read_tool_is_called_by_hand(exe: Executor):
    response = await exe.stub.CallTool(pb.CallToolRequest(tool="add", arguments_json='{"a":1,"b":2}'))
    assert response.outcome.result_json == "3"
    arguments = json_format.ParseDict({"a": 1, "b": 2}, struct_pb2.Struct())
    response = await exe.stub.CallTool(pb.CallToolRequest(tool="add", version="2.1", arguments=arguments))
    assert response.outcome.result_json == "3"


async def test_without_a_version_the_highest_is_called(exe: Executor):
    assert exe.service.executor.pick("add", "").tool.spec.version == "2.10"


async def test_it_knows_who_called(exe: Executor):
    metadata = (("greenlight-tenant", "acme"), ("greenlight-principal", "user:ann"))
    response = await exe.stub.CallTool(pb.CallToolRequest(tool="about"), metadata=metadata, timeout=20)
    about = json.loads(response.outcome.result_json)
    assert (about["tenant"], about["principal"], about["remaining"]) == ("acme", "user:ann", True)


async def test_a_failed_call_is_data(exe: Executor):
    response = await exe.stub.CallTool(pb.CallToolRequest(tool="brief", arguments_json='{"gate":"never"}'))
    assert failure(response.outcome) == ("TIMEOUT", "POSSIBLE", "TOOL_TIMEOUT")


@pytest.mark.parametrize(
    ("request_fields", "status", "reason", "fields"),
    [
        ({"tool": "no_such_tool"}, "NOT_FOUND", "TOOL_UNKNOWN", []),
        ({"tool": "echo", "version": "7"}, "NOT_FOUND", "TOOL_UNKNOWN", []),
        ({}, "NOT_FOUND", "TOOL_UNKNOWN", []),
        ({"tool": "add"}, "INVALID_ARGUMENT", "ARGUMENTS_INVALID", ["arguments.a"]),
        ({"tool": "add", "arguments_json": '{"a":"1"}'}, "INVALID_ARGUMENT", "ARGUMENTS_INVALID", ["arguments.a"]),
        (
            {"tool": "add", "arguments_json": '{"a":1,"a":2}'},
            "INVALID_ARGUMENT",
            "ARGUMENTS_INVALID",
            ["arguments_json"],
        ),
        ({"tool": "add", "arguments_json": '{"a":NaN}'}, *BAD_JSON),
        ({"tool": "echo", "arguments_json": '{"value":1e400}'}, *BAD_JSON),
        ({"tool": "echo", "arguments_json": '{"value":[-1e400]}'}, *BAD_JSON),
        ({"tool": "echo", "arguments_json": '{"value":' + "9" * 1001 + "}"}, *BAD_JSON),
        ({"tool": "add", "arguments_json": "{"}, *BAD_JSON),
        ({"tool": "add", "arguments_json": "[" * 99_999}, *BAD_JSON),
    ],
)
async def test_calls_by_hand_that_are_wrong(
    exe: Executor, request_fields: dict[str, Any], status: str, reason: str, fields: list[str]
):
    assert await refused(exe, pb.CallToolRequest(**request_fields)) == (status, reason, fields)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float(2**53 + 1), -float(2**53 + 1)])
async def test_a_structs_numbers_that_are_not_exact(exe: Executor, number: float):
    arguments = struct_pb2.Struct(fields={"a": struct_pb2.Value(number_value=number)})
    said = await refused(exe, pb.CallToolRequest(tool="add", arguments=arguments))
    assert said[:2] == ("INVALID_ARGUMENT", "ARGUMENTS_INVALID")


async def test_a_tool_with_an_effect_needs_an_approval(exe: Executor):
    request = pb.CallToolRequest(tool="write", arguments_json='{"text":"x"}')
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await exe.stub.CallTool(request)
    assert (raised.value.code().name, details(raised.value)[0]) == ("FAILED_PRECONDITION", "NEEDS_APPROVAL")
    assert GATES.runs == []


@pytest.mark.parametrize(
    "metadata",
    [
        (("greenlight-tenant", "Not A Tenant"),),
        (("greenlight-principal", "nobody"),),
        (("greenlight-tenant", "a"), ("greenlight-tenant", "b")),
    ],
)
async def test_callers_that_cannot_be(exe: Executor, metadata: tuple[tuple[str, str], ...]):
    status, _, fields = await refused(exe, pb.CallToolRequest(tool="about"), metadata=metadata)
    assert (status, fields) == ("INVALID_ARGUMENT", [metadata[0][0]])


@pytest.mark.parametrize(
    ("size", "token", "reason"),
    [(-1, "", "PAGE_SIZE_INVALID"), (1, "x", "PAGE_TOKEN_INVALID"), (1, "ü", "PAGE_TOKEN_INVALID")],
)
async def test_pages_that_cannot_be(exe: Executor, size: int, token: str, reason: str):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await exe.stub.ListTools(pb.ListToolsRequest(page_size=size, page_token=token))
    assert (raised.value.code().name, details(raised.value)[0]) == ("INVALID_ARGUMENT", reason)


async def test_bytes_that_are_no_request(exe: Executor):
    for method in ("CallTool", "ListTools", "GetServerInfo"):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await exe.channel.unary_unary(SERVICE + method)(b"\xff\xff\xff")
        assert (raised.value.code().name, details(raised.value)[0]) == ("INVALID_ARGUMENT", "MESSAGE_UNREADABLE")
