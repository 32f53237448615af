"""An OTLP collector that throws everything away, as a process of its own: python -m tests.bench.otlp_sink

Says on which address it listens, and on SIGTERM how many spans came.
"""

import asyncio
import json
import signal
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_rpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_rpc


class Traces(trace_rpc.TraceServiceServicer):
    def __init__(self) -> None:
        self.spans = 0

    async def Export(self, request: trace.ExportTraceServiceRequest, context: Any) -> trace.ExportTraceServiceResponse:
        self.spans += sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
        return trace.ExportTraceServiceResponse()


class Metrics(metrics_rpc.MetricsServiceServicer):
    async def Export(
        self, request: metrics.ExportMetricsServiceRequest, context: Any
    ) -> metrics.ExportMetricsServiceResponse:
        return metrics.ExportMetricsServiceResponse()


async def main() -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    traces = Traces()
    trace_rpc.add_TraceServiceServicer_to_server(traces, server)
    metrics_rpc.add_MetricsServiceServicer_to_server(Metrics(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"event": "ready", "service": "otlp_sink", "address": f"127.0.0.1:{port}"}), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    print(json.dumps({"spans": traces.spans}), flush=True)
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(main())
