"""A real OTLP collector on a free port, which keeps what comes."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_rpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_rpc
from opentelemetry.proto.trace.v1 import trace_pb2


class SpanSeen(NamedTuple):
    """Ids in lower-case hex; `parent_id` empty: a root. `status`: 0 unset, 2 error."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    kind: int
    status: int
    attributes: Mapping[str, Any]


class OtlpSink(trace_rpc.TraceServiceServicer, metrics_rpc.MetricsServiceServicer):
    """`spans` and `metrics` (name -> its latest data) as they came; `endpoint` to send them to."""

    def __init__(self) -> None:
        self.spans: list[SpanSeen] = []
        self.metrics: dict[str, Any] = {}
        self.endpoint = ""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])

    async def __aenter__(self) -> Self:
        trace_rpc.add_TraceServiceServicer_to_server(self, self._server)
        metrics_rpc.add_MetricsServiceServicer_to_server(self, self._server)
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)

    async def Export(self, request: Any, context: Any) -> Any:
        if isinstance(request, trace.ExportTraceServiceRequest):
            for resource in request.resource_spans:
                service = _attributes(resource.resource.attributes)["service.name"]
                self.spans += [_seen(service, span) for scope in resource.scope_spans for span in scope.spans]
            return trace.ExportTraceServiceResponse()
        for resource in request.resource_metrics:
            self.metrics.update((metric.name, metric) for scope in resource.scope_metrics for metric in scope.metrics)
        return metrics.ExportMetricsServiceResponse()

    def named(self, name: str) -> list[SpanSeen]:
        return [span for span in self.spans if span.name == name]

    def children(self, parent: SpanSeen) -> list[SpanSeen]:
        """In order of their start."""
        found = [span for span in self.spans if (span.trace_id, span.parent_id) == (parent.trace_id, parent.span_id)]
        return sorted(found, key=lambda span: span.start)


def _seen(service: str, span: trace_pb2.Span) -> SpanSeen:
    return SpanSeen(
        service,
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.kind,
        span.status.code,
        _attributes(span.attributes),
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
