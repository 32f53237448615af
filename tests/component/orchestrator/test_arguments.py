"""Arguments that are wrong, and arguments that must come through exactly as they are."""

import json
from typing import Any

import pytest
from google.protobuf import struct_pb2

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.support.refusals import refusal
from tests.support.services import Services, batch, call

PLACE = "batch.proposals.items[0]"


async def _refused(pair: Services, proposal: proposal_pb2.ProposalSpec, field: str) -> str:
    """Refused for that field, and nothing is left of it; returns what it says of it."""
    found = await refusal(pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=batch(proposal, call("echo")))))
    assert found.short == ("INVALID_ARGUMENT", "BATCH_INVALID")
    assert list(found.fields) == [f"{PLACE}.{field}"]
    assert await pair.batches() == []
    return found.fields[f"{PLACE}.{field}"]


async def test_an_unknown_tool(pair: Services):
    assert "no tool 'nothing'" in await _refused(pair, call("nothing"), "tool")


async def test_names_that_may_have_been_meant(pair: Services):
    assert await _refused(pair, call("ehco"), "tool") == "no tool 'ehco'; did you mean 'echo'?"
    calls = [call(f"ehco{number}", key=f"k{number}") for number in range(8)]
    started = await pair.run(*calls, on_invalid=batch_pb2.ON_INVALID_FAIL_CALL)
    said = [answer.failure.message for answer in started.answers]
    assert "did you mean 'echo'?" in said[0]
    assert said[-1] == "no tool 'ehco7'"


async def test_an_unknown_version(pair: Services):
    assert "known versions: 1" in await _refused(pair, call("echo", version="7"), "tool")


async def test_an_idempotency_key_with_a_character_that_not_every_database_keeps(pair: Services):
    said = await _refused(pair, call("echo", idempotency_key="a\x00b"), "idempotency_key")
    assert said == "must not have U+0000"


async def test_no_tool_at_all(pair: Services):
    found = await refusal(pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=batch(call("")))))
    assert found.fields[f"{PLACE}.tool"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"count": "three"}, "/count"),
        ({"count": 1.5}, "/count"),
        ({}, "count"),
        ({"count": 1, "colour": "red"}, "colour"),
        ([1], "must be an object"),
        ("3", "must be an object"),
        ("{", "not JSON"),
        ('{"count": 1} x', "not JSON"),
        ('{"count": NaN}', "NaN is not JSON"),
        ('{"count": -Infinity}', "-Infinity is not JSON"),
        ('{"count": 1e999}', "too large for a double"),
        ('{"count": 1, "count": 2}', "stands twice"),
        ('{"count": 1, "unit": "\\ud800"}', "lone surrogate"),
        ('{"count": ' + "[" * 100 + "]" * 100 + "}", "nested deeper"),
        ('{"count": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested deeper"),
        ('{"count": ' + "9" * 1001 + "}", "1,000 digits"),
        (json.dumps({"count": 1, "unit": "x" * 300_000}), "262,144 bytes"),
        ('{"count": {"$secret": "x"}}', "$secret"),
    ],
)
async def test_arguments_that_are_wrong(pair: Services, arguments: Any, says: str):
    assert says in await _refused(pair, call("typed", arguments=arguments), "arguments_json")


async def test_a_wrong_call_may_fail_alone(pair: Services):
    summary = await pair.run(
        call("typed", "wrong", {"count": "three"}),
        call("nothing", "unknown"),
        call("echo", "right", {"value": 1}),
        call("echo", "after", after=["wrong"]),
        on_invalid=batch_pb2.ON_INVALID_FAIL_CALL,
    )
    wrong, unknown, right, after = summary.answers
    assert (wrong.failure.reason, unknown.failure.reason) == ("ARGUMENTS_INVALID", "TOOL_UNKNOWN")
    assert right.result_json == "1"
    assert after.skipped_because == "wrong"


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740993",
        "-9223372036854775808",
        "18446744073709551615",
        "123456789012345678901234567890",
        '"2020-01-01"',
        "0.1",
        '"\\u0000é"',
        "[]",
        "null",
    ],
)
async def test_values_come_through_exactly(pair: Services, text: str):
    summary = await pair.run(call("echo", "one", f'{{"value": {text}}}'))
    proposal = await pair.proposal(summary.batch.batch_id, "one")
    assert json.loads(summary.answers[0].result_json) == json.loads(text)
    assert json.loads(proposal.proposed_arguments_json) == {"value": json.loads(text)}


async def test_no_arguments_are_an_empty_object(pair: Services):
    (answer,) = (await pair.run(proposal_pb2.ProposalSpec(tool="echo"))).answers
    assert answer.result_json == "null"


def _typed(**members: Any) -> proposal_pb2.ProposalSpec:
    arguments = struct_pb2.Struct()
    arguments.update(members)
    return proposal_pb2.ProposalSpec(tool="echo", key="one", arguments=arguments)


async def test_the_struct_twin(pair: Services):
    value = {"whole": 3.0, "part": 0.5, "negative": -2.0, "list": [1.0, True, None, "x"], "most": float((1 << 53) - 1)}
    summary = await pair.run(_typed(value=value))
    proposal = await pair.proposal(summary.batch.batch_id, "one")
    assert proposal.proposed_arguments_json == (
        '{"value":{"list":[1,true,null,"x"],"most":9007199254740991,"negative":-2,"part":0.5,"whole":3}}'
    )


@pytest.mark.parametrize(
    ("value", "field", "says"),
    [
        (float(1 << 54), "arguments.value", "arguments_json"),
        (float((1 << 53) + 1), "arguments.value", "beyond 2^53 - 1"),
        (-float((1 << 53) + 1), "arguments.value", "beyond 2^53 - 1"),
        ({"deep": [1, -1e300]}, "arguments.value.deep[1]", "arguments_json"),
        (float("nan"), "arguments.value", "not JSON"),
        (float("inf"), "arguments.value", "not JSON"),
    ],
)
async def test_what_a_double_cannot_hold(pair: Services, value: Any, field: str, says: str):
    assert says in await _refused(pair, _typed(value=value), field)


async def test_a_struct_value_without_a_kind(pair: Services):
    proposal = proposal_pb2.ProposalSpec(tool="echo")
    proposal.arguments.fields["value"].SetInParent()
    assert "null_value" in await _refused(pair, proposal, "arguments.value")


async def test_a_reference_into_nothing(pair: Services):
    summary = await pair.run(
        call("echo", "a", {"value": {"x": 1}}),
        call("echo", "none", {"value": {"$from": "a", "path": "/y"}}),
        call("echo", "some", {"value": {"$from": "a", "path": "/y", "default": 7}}),
        call("echo", "there", {"value": {"$from": "a", "path": "/x"}}),
        call("echo", "literal", {"value": {"$literal": {"$from": "z"}}}),
        call("echo", "late", {"value": {"$from": "a", "path": "y"}}),
        on_invalid=batch_pb2.ON_INVALID_FAIL_CALL,
    )
    none, some, there, literal, late = summary.answers[1:]
    assert none.failure.reason == "REFERENCE_INVALID"
    assert "/y" in none.failure.message
    assert (some.result_json, list(some.missing_inputs)) == ("7", ["a"])
    assert there.result_json == "1"
    assert literal.result_json == '{"$from":"z"}'
    assert late.failure.reason == "ARGUMENTS_INVALID"


async def test_bound_arguments_that_do_not_fit(pair: Services):
    summary = await pair.run(
        call("echo", "a", {"value": "three"}),
        call("typed", "b", {"count": {"$from": "a"}}),
        call("sized", "c", {"size": 900_000}),
        call("echo", "d", {"value": [{"$from": "c"}, {"$from": "c"}]}),
    )
    assert [answer.failure.reason for answer in summary.answers] == ["", "ARGUMENTS_INVALID", "", "ARGUMENTS_TOO_LARGE"]


async def test_a_struct_that_nests_too_deep(pair: Services):
    request = pb.SubmitBatchRequest()
    struct = request.batch.proposals.items.add(tool="echo").arguments
    for _ in range(200):
        struct = struct.fields["a"].struct_value
        struct.SetInParent()
    refused = await refusal(pair.stub.SubmitBatch(request))
    assert refused.short == ("INVALID_ARGUMENT", "MESSAGE_UNREADABLE")
