"""Batches whose structure, size or fields are wrong: all of it is refused, and nothing is left."""

from typing import Any

import grpc.aio
import pytest
from google.protobuf import duration_pb2
from grpc_status import rpc_status

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from tests.support.refusals import refusal
from tests.support.services import Services, batch, call

ITEMS = "batch.proposals.items"


async def _refused(pair: Services, spec: batch_pb2.BatchSpec, field: str, says: str) -> None:
    """By both ways to submit."""
    for refused in (
        await refusal(pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec))),
        await refusal(pair.stub.RunBatch(pb.RunBatchRequest(batch=spec))),
    ):
        assert refused.short == ("INVALID_ARGUMENT", "BATCH_INVALID")
        assert says in refused.fields[field]
    assert await pair.batches() == []


@pytest.mark.parametrize(
    ("proposals", "field", "says"),
    [
        ([], "batch.proposals", "is empty"),
        ([call("echo", "a"), call("echo", "a")], f"{ITEMS}[1].key", "is taken"),
        ([call("echo", "p2"), call("echo")], f"{ITEMS}[1].key", "is taken"),
        ([call("echo", "a/b")], f"{ITEMS}[0].key", "except '/'"),
        ([call("echo", "ключ")], f"{ITEMS}[0].key", "visible ASCII"),
        ([call("echo", "k" * 129)], f"{ITEMS}[0].key", "1-128"),
        ([call("echo", "a", after=["a"])], f"{ITEMS}[0].depends_on", "depends on itself"),
        ([call("echo", "a", after=["b"])], f"{ITEMS}[0].depends_on", "no proposal 'b'"),
        ([call("echo", "a"), call("echo", after=["a", "a"])], f"{ITEMS}[1].depends_on", "twice"),
        (
            [call("echo", "a", after=["c"]), call("echo", "b", after=["a"]), call("echo", "c", after=["b"])],
            f"{ITEMS}[0].depends_on",
            "a cycle",
        ),
        (
            [call("echo", "a", {"value": {"$from": "b"}}), call("echo", "b", {"value": {"$from": "a"}})],
            f"{ITEMS}[0].depends_on",
            "a cycle",
        ),
        ([call("echo", "a", {"value": {"$from": "b"}})], f"{ITEMS}[0].depends_on", "no proposal 'b'"),
        ([call("echo", "a", {"value": {"$from": "a"}})], f"{ITEMS}[0].depends_on", "depends on itself"),
        ([call("echo", "a", {"value": {"$from": "b", "x": 1}})], f"{ITEMS}[0].arguments_json", "not a member"),
        ([call("echo", title="t" * 257)], f"{ITEMS}[0].title", "256"),
        ([call("echo", labels={"k" * 64: "v"})], f"{ITEMS}[0].labels", "1-63"),
        ([call("echo", labels={f"k{n}": "" for n in range(33)})], f"{ITEMS}[0].labels", "at most 32"),
        ([call("publish", tier=tool_pb2.TIER_AUTO)], f"{ITEMS}[0].tier", "less strict"),
        ([call("echo", tier=99)], f"{ITEMS}[0].tier", "99 is not known"),
        ([call("echo", timeout=duration_pb2.Duration(seconds=-1))], f"{ITEMS}[0].timeout", "negative"),
        ([call("echo", timeout=duration_pb2.Duration(nanos=2**31 - 1))], f"{ITEMS}[0].timeout", "malformed"),
        ([call("echo", timeout=duration_pb2.Duration())], f"{ITEMS}[0].timeout", "more than 0"),
        (
            [call("echo", retry_policy=tool_pb2.RetryPolicy(max_attempts=-1))],
            f"{ITEMS}[0].retry_policy.max_attempts",
            "1 to 100",
        ),
    ],
)
async def test_proposals_that_are_wrong(
    pair: Services, proposals: list[proposal_pb2.ProposalSpec], field: str, says: str
):
    await _refused(pair, batch(*proposals), field, says)


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"session_id": "a/b"}, "batch.session_id", "except '/'"),
        ({"name": "n" * 257}, "batch.name", "256"),
        ({"max_in_flight": -1}, "batch.max_in_flight", "negative"),
        ({"deadline": duration_pb2.Duration(seconds=-1)}, "batch.deadline", "negative"),
        ({"deadline": duration_pb2.Duration(seconds=315_576_000_000)}, "batch.deadline", "100 years"),
        ({"idle_timeout": duration_pb2.Duration()}, "batch.idle_timeout", "more than 0"),
        ({"on_invalid": 7}, "batch.on_invalid", "7 is not known"),
        ({"parameters_json": "{}"}, "batch.parameters_json", "template_yaml only"),
    ],
)
async def test_batches_that_are_wrong(pair: Services, fields: dict[str, Any], field: str, says: str):
    await _refused(pair, batch(call("echo"), **fields), field, says)


async def test_an_unknown_condition(pair: Services):
    wrong = call("echo", "b")
    wrong.depends_on.add(key="a", when=9)  # type: ignore[arg-type]
    await _refused(pair, batch(call("echo", "a"), wrong), f"{ITEMS}[1].depends_on[0].when", "9 is not known")


async def test_everything_that_is_wrong_is_said_at_once(pair: Services):
    dangling = call("echo", "d", {"value": {"$from": "nowhere"}})
    spec = batch(call("nothing"), call("typed"), call("echo", "a/b"), dangling, call("echo", "d"))
    refused = await refusal(pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec)))
    assert set(refused.fields) == {
        f"{ITEMS}[0].tool",
        f"{ITEMS}[1].arguments_json",
        f"{ITEMS}[2].key",
        f"{ITEMS}[3].depends_on",
        f"{ITEMS}[4].key",
    }


async def test_of_very_many_faults_only_the_first_are_said_and_none_that_is_not_there(pair: Services):
    wrong = [call("nothing", f"k{n}", after=["last"]) for n in range(300)]
    spec = batch(*wrong, call("echo", "last"))
    refused = await refusal(pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec)))
    assert list(refused.fields) == [f"{ITEMS}[{n}].tool" for n in range(20)]
    assert refused.message.endswith("(and 127 more)")


async def test_too_many_proposals(pair: Services):
    await _refused(pair, batch(*[call("echo")] * 10_001), ITEMS, "at most 10,000")


async def test_a_request_that_is_too_large(pair: Services):
    spec = batch(*[call("echo", arguments={"value": "x" * 200_000})] * 90)
    size = pb.SubmitBatchRequest(batch=spec).ByteSize()
    for refused in (
        await refusal(pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec))),
        await refusal(pair.stub.RunBatch(pb.RunBatchRequest(batch=spec))),
        await refusal(pair.stub.AddProposals(pb.AddProposalsRequest(proposals=spec.proposals.items))),
    ):
        assert refused.short == ("RESOURCE_EXHAUSTED", "REQUEST_TOO_LARGE")
        assert abs(int(refused.metadata["bytes"]) - size) < 20
        assert refused.metadata["limit"] == str(16 << 20)
        assert refused.retry_after is None
    assert await pair.batches() == []


async def test_a_request_far_beyond_the_limit(pair: Services):
    """gRPC itself refuses it, before anybody could read it: without details."""
    spec = batch_pb2.BatchSpec(template_yaml="x" * (65 << 20))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec))
    error: Any = raised.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert rpc_status.from_call(error) is None
    assert await pair.batches() == []


async def test_bytes_that_are_no_message(pair: Services):
    for method, make in (("SubmitBatch", pair.channel.unary_unary), ("WatchBatch", pair.channel.unary_stream)):
        refused = await refusal(make(f"/greenlight.orchestrator.v1.OrchestratorService/{method}")(b"\xff\xff\xff"))
        assert refused.short == ("INVALID_ARGUMENT", "MESSAGE_UNREADABLE")


async def test_a_template_that_is_nowhere(pair: Services):
    spec = batch_pb2.BatchSpec(template=batch_pb2.TemplateSource(name="nothing"))
    refused = await refusal(pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec)))
    assert refused.short == ("NOT_FOUND", "TEMPLATE_UNKNOWN")


async def test_a_template_that_is_wrong(pair: Services):
    spec = batch_pb2.BatchSpec(template_yaml="format: 1\nname: x\nsurprise: 1\n")
    refused = await refusal(pair.stub.SubmitBatch(pb.SubmitBatchRequest(batch=spec)))
    assert refused.short == ("INVALID_ARGUMENT", "TEMPLATE_INVALID")
    assert refused.fields
