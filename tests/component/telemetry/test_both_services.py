"""One trace over both services: what the executor says of a call hangs below the orchestrator's attempt."""

from pathlib import Path

from executor_svc.bootstrap import serving
from executor_svc.settings import Settings
from orchestrator_svc.adapters.executor.grpc import GrpcExecutors
from orchestrator_svc.adapters.observer.telemetry import TelemetryObserver
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.executor import Ended
from shared.kernel.clock import SystemClock
from shared.runtime.telemetry.export import Telemetry
from tests.support.calls import make_call
from tests.support.clock import ManualClock
from tests.support.flow import TRACE, Flow
from tests.support.otlp_sink import OtlpSink
from tests.support.watching import Watcher


async def _run(address: str, flow: Flow) -> None:
    executors = GrpcExecutors([address], incarnation_id="i", version="0", clock=SystemClock())
    await executors.start()
    watcher = Watcher(executors)
    target = await watcher.connected()
    flow.submit(("a", Tier.AUTO))
    span_id = flow.dispatch("a")
    executors.send(target, [make_call(f"{flow.batch.id}/a/1")._replace(span_id=span_id)])
    await watcher.next(Ended)
    flow.end("a")
    await executors.close()


async def test_one_trace(tmp_path: Path):
    clock = ManualClock()
    async with OtlpSink() as sink:
        settings = Settings.model_validate(
            {
                "listen": "127.0.0.1:0",
                "toolbox": ["tests.support.toolboxes.gates"],
                "data": tmp_path,
                "otlp_endpoint": sink.endpoint,
                "drain_grace": 0,
            }
        )
        telemetry = Telemetry(
            sink.endpoint, service="greenlight-orchestrator", version="0", instance_id="t", clock=clock
        )
        async with telemetry, serving(settings) as service:
            observer = TelemetryObserver(telemetry.spans, telemetry.meters, clock)
            await _run(service.address, Flow(observer, clock))
        assert {span.trace_id for span in sink.spans} == {TRACE}
        (batch,) = (span for span in sink.spans if not span.parent_id)
        (proposal,) = sink.children(batch)
        _, attempt = sink.children(proposal)
        (served,) = sink.children(attempt)
        (ran,) = sink.children(served)
        assert [span.service for span in (batch, proposal, attempt, served, ran)] == [
            *["greenlight-orchestrator"] * 3,
            *["greenlight-executor"] * 2,
        ]
        assert (attempt.name, attempt.kind) == ("attempt", 3)
        assert (served.name, served.kind) == ("greenlight.executor.v1.ExecutorService/Execute", 2)
        assert ran.name == "run_tool echo"
