"""A batch's spans and metrics, as a real OTLP collector gets them."""

from orchestrator_svc.adapters.observer.telemetry import TelemetryObserver
from orchestrator_svc.domain.tool import Tier
from shared.runtime.telemetry.export import Telemetry
from tests.support.clock import ManualClock
from tests.support.flow import TRACE, Flow
from tests.support.otlp_sink import OtlpSink


def _telemetry(endpoint: str, clock: ManualClock) -> Telemetry:
    return Telemetry(endpoint, service="greenlight-orchestrator", version="0", instance_id="test", clock=clock)


def _run(telemetry: Telemetry, clock: ManualClock) -> None:
    flow = Flow(TelemetryObserver(telemetry.spans, telemetry.meters, clock), clock)
    flow.submit(("a", Tier.HARD), ("b", Tier.AUTO, "a"))
    clock.advance(60)
    flow.approve("a")
    for key in ("a", "b"):
        flow.dispatch(key)
        clock.advance(1)
        flow.end(key)


async def test_one_batch_arrives_as_one_tree():
    clock = ManualClock()
    async with OtlpSink() as sink:
        async with _telemetry(sink.endpoint, clock) as telemetry:
            _run(telemetry, clock)
            await telemetry.flush()
            assert sink.spans
        (batch,) = sink.named("invoke_workflow report")
        assert (batch.trace_id, batch.parent_id, batch.service) == (TRACE, "", "greenlight-orchestrator")
        first, second = sink.children(batch)
        assert [span.name for span in sink.children(first)] == ["approval_wait", "queue_wait", "attempt"]
        assert [span.name for span in sink.children(second)] == ["queue_wait", "attempt"]
        assert first.attributes["gen_ai.tool.call.id"] == "0190aaaa-batch/a"
        assert len(sink.spans) == 8
        (point,) = sink.metrics["gen_ai.execute_tool.duration"].histogram.data_points
        assert point.count == 2


async def test_closing_sends_the_rest():
    clock = ManualClock()
    async with OtlpSink() as sink:
        async with _telemetry(sink.endpoint, clock) as telemetry:
            _run(telemetry, clock)
        assert len(sink.spans) == 8
        assert sink.metrics["greenlight.batches"].sum.data_points[0].as_int == 1


async def test_nobody_listening_holds_up_nothing():
    """Bounded by the grace of closing, not by the exporter's waits."""
    clock = ManualClock()
    async with _telemetry("http://127.0.0.1:1", clock) as telemetry:
        _run(telemetry, clock)
