"""Sends what `Spans` and `Meters` hold to an OTLP endpoint, off the loop. Without an endpoint there is none of this."""

import asyncio
import logging
import threading
from typing import Any, Protocol, Self, cast

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from shared.kernel.clock import Clock
from shared.kernel.tasks import Supervisor
from shared.runtime.telemetry.meters import Meters
from shared.runtime.telemetry.spans import Spans

_log = logging.getLogger(__name__)
_QUEUE = 65_536
_BATCH = 512
_TIMEOUT = 2.0
_CLOSE_GRACE = 3.0


class _MetricExporter(Protocol):
    def export(self, metrics_data: MetricsData) -> Any: ...

    def shutdown(self) -> None: ...


class _HashedOnce(Resource):
    """The exporter hashes the resource once a span, and the SDK's hash writes all of the attributes as JSON: a fifth of
    what encoding a span costs."""

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource.attributes, resource.schema_url)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


class Telemetry:
    """One service's traces and metrics. `start` on the loop; `close` sends the rest, for 3 s at most."""

    def __init__(
        self,
        endpoint: str,
        *,
        service: str,
        version: str,
        instance_id: str,
        clock: Clock,
        metrics: bool = True,
        metric_interval: float = 60.0,
        span_delay: float = 1.0,
    ) -> None:
        self._resource = _HashedOnce(
            Resource.create({"service.name": service, "service.version": version, "service.instance.id": instance_id})
        )
        self._scope = InstrumentationScope("greenlight", version)
        self._span_exporter: SpanExporter = OTLPSpanExporter(endpoint=endpoint, timeout=_TIMEOUT)
        self._processor = BatchSpanProcessor(
            self._span_exporter,
            max_queue_size=_QUEUE,
            schedule_delay_millis=span_delay * 1000,
            max_export_batch_size=_BATCH,
        )
        self._metric_exporter: _MetricExporter | None = None
        if metrics:
            self._metric_exporter = cast(_MetricExporter, OTLPMetricExporter(endpoint=endpoint, timeout=_TIMEOUT))
        self._metric_interval = metric_interval
        self._clock = clock
        self._since = clock.time_ns()
        self._supervisor = Supervisor()
        self.spans = Spans(self._processor.on_end, self._resource, self._scope)
        self.meters = Meters()

    async def start(self) -> None:
        if self._metric_exporter is not None:
            self._supervisor.start(self._export_metrics_for_ever(), "telemetry: metrics")

    async def flush(self) -> None:
        """Sends what is there. May take seconds where nobody listens."""
        await asyncio.to_thread(self._processor.force_flush)
        await self._export_metrics()

    async def close(self) -> None:
        await self._supervisor.stop()
        metrics = self._collect()
        # A thread of its own: the SDK's waits are long and cannot be cut short, and must not hold up the process.
        closing = threading.Thread(target=self._close, args=(metrics,), name="telemetry: close", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, _CLOSE_GRACE)
        if closing.is_alive():
            self._span_exporter.shutdown()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _export_metrics_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._metric_interval)
            try:
                await self._export_metrics()
            except Exception:  # the exporter's own; the next round is not to suffer
                _log.exception("metrics could not be exported")

    async def _export_metrics(self) -> None:
        if self._metric_exporter is not None:
            await asyncio.to_thread(self._metric_exporter.export, self._collect())

    def _collect(self) -> MetricsData:
        metrics = self.meters.collect(self._since, self._clock.time_ns())
        return MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(self._scope, metrics, "")], "")])

    def _close(self, metrics: MetricsData) -> None:
        if self._metric_exporter is not None:
            self._metric_exporter.export(metrics)
            self._metric_exporter.shutdown()
        self._processor.shutdown()
