"""One batch with an approval is one trace with the spans of both services, as Jaeger's API v3 gives it back."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from greenlight.orchestrator.v1 import batch_pb2, orchestrator_pb2, proposal_pb2
from greenlight.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from tests.bench.processes import environment, free_port, running
from tests.bench.services import services
from tests.interop.tools import require

HERE = Path(__file__).parent
WAIT = 0.3
ARRIVES_WITHIN = 20.0
CALLERS_TRACE, CALLERS_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def jaeger(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Jaeger's OTLP address, and that of its query API."""
    ports = {name: str(free_port()) for name in ("JAEGER_OTLP", "JAEGER_HTTP", "JAEGER_GRPC")}
    command = [str(require("jaeger")), "--config", str(HERE / "jaeger.yaml")]
    # Its own traces it would send to the usual port, and wait for that when it ends.
    env = environment(**ports, OTEL_TRACES_SAMPLER="always_off")
    with running("jaeger", command, tmp_path, env) as process:
        for port in ports.values():
            process.listening(int(port))
        yield f"http://127.0.0.1:{ports['JAEGER_OTLP']}", f"http://127.0.0.1:{ports['JAEGER_HTTP']}"


def test_one_batch_with_an_approval_is_one_trace_of_both_services(jaeger: tuple[str, str], tmp_path: Path):
    otlp, query = jaeger
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp, "OTEL_EXPORTER_OTLP_INSECURE": "true", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with services(tmp_path, toolbox=HERE.parent / "toolbox.py", env=env) as pair:
        with grpc.insecure_channel(pair.orchestrator_address) as channel:
            trace_id = run_with_approval(OrchestratorServiceStub(cast(Any, channel)))
        spans = complete_trace(query, trace_id)

    assert {span["traceId"] for span in spans} == {trace_id}
    ids = {span["spanId"] for span in spans}
    roots = [span for span in spans if span.get("parentSpanId", "") not in ids]
    assert [root["name"].split()[0] for root in roots] == ["invoke_workflow"]
    assert (trace_id, roots[0]["parentSpanId"]) == (CALLERS_TRACE, CALLERS_SPAN)
    tools = {span["name"]: span for span in spans if span["name"].startswith("execute_tool ")}
    assert set(tools) == {"execute_tool echo", "execute_tool publish"}
    wait = only(spans, "approval_wait")
    assert wait["parentSpanId"] == tools["execute_tool publish"]["spanId"]
    assert duration(wait) >= WAIT
    services_of = {span["service"] for span in spans}
    assert len(services_of) == 2, services_of
    for span in spans:
        # Whoever the executor's spans belong to, it is an attempt of the orchestrator's.
        assert span["service"] == roots[0]["service"] or parent(spans, span) is not None


def run_with_approval(stub: Any) -> str:
    items = [
        proposal_pb2.ProposalSpec(key="look", tool="echo", arguments_json='{"text":"a"}'),
        proposal_pb2.ProposalSpec(key="publish", tool="publish", arguments_json='{"text":"b"}'),
    ]
    spec = batch_pb2.BatchSpec(name="traced", proposals=batch_pb2.ProposalList(items=items))
    metadata = (("traceparent", f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01"),)
    batch = stub.SubmitBatch(orchestrator_pb2.SubmitBatchRequest(batch=spec), metadata=metadata).batch
    time.sleep(WAIT)
    proposal_id = f"{batch.batch_id}/publish"
    seen = stub.GetProposal(orchestrator_pb2.GetProposalRequest(proposal_id=proposal_id)).proposal
    decision = orchestrator_pb2.Decision(
        proposal_id=proposal_id, verdict=proposal_pb2.VERDICT_APPROVE, digest=seen.digest
    )
    stub.DecideProposals(orchestrator_pb2.DecideProposalsRequest(decisions=[decision]))
    summary = stub.WaitBatch(orchestrator_pb2.WaitBatchRequest(batch_id=batch.batch_id)).summary
    assert summary.batch.state == batch_pb2.BATCH_STATE_SUCCEEDED
    return batch.trace_id


def complete_trace(query: str, trace_id: str) -> list[dict[str, Any]]:
    """The trace, once its root and both services' spans have arrived."""
    until = time.monotonic() + ARRIVES_WITHIN
    while True:
        spans = spans_of(query, trace_id)
        names = {span["name"].split()[0] for span in spans}
        if "invoke_workflow" in names and len({span["service"] for span in spans}) > 1:
            return spans
        assert time.monotonic() < until, f"incomplete after {ARRIVES_WITHIN:g} s: {sorted(names)}"
        time.sleep(0.2)


def spans_of(query: str, trace_id: str) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{query}/api/v3/traces/{trace_id}", timeout=5) as response:
            result = json.load(response)["result"]
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return []
    return [
        {**span, "service": service_name(resource)}
        for resource in result["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def service_name(resource: dict[str, Any]) -> str:
    attributes = {one["key"]: one["value"] for one in resource["resource"]["attributes"]}
    return attributes["service.name"]["stringValue"]


def only(spans: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [span for span in spans if span["name"].split()[0] == name]
    return found


def parent(spans: list[dict[str, Any]], span: dict[str, Any]) -> dict[str, Any] | None:
    return next((one for one in spans if one["spanId"] == span.get("parentSpanId")), None)


def duration(span: dict[str, Any]) -> float:
    return (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e9
