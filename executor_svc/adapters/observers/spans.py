"""The executor's part of a trace: the SERVER span of a call, and below it the tool's run.

attempt (the orchestrator's)
└── greenlight.executor.v1.ExecutorService/Execute   from receipt to outcome
    └── run_tool {tool}                              from start to end; not there if it never started
"""

from executor_svc.domain.call import Call
from executor_svc.domain.outcome import Outcome
from shared.runtime.telemetry.ids import derive_span_id
from shared.runtime.telemetry.spans import SERVER, Spans

_METHOD = "greenlight.executor.v1.ExecutorService/Execute"
_SECOND = 1_000_000_000


class SpanObserver:
    """Implements `CallObserver`; made only where there is an endpoint to send spans to."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    def ended(self, call: Call, outcome: Outcome, ended_ns: int) -> None:
        if len(call.span_id) != 8 or not call.origin.trace_id:
            return
        trace_id = call.origin.trace_id.hex()
        server_id = derive_span_id(trace_id, call.id, "server")
        error = outcome.failure.reason if outcome.failure else None
        attributes: dict[str, str | int | float | bool] = {
            "rpc.system.name": "grpc",
            "rpc.method": _METHOD,
            "greenlight.call.id": call.id,
            "greenlight.tenant": call.origin.tenant,
            "greenlight.queue.duration": outcome.queue_seconds,
        }
        ran_ns = int(outcome.run_seconds * _SECOND)
        received_ns = ended_ns - ran_ns - int(outcome.queue_seconds * _SECOND)
        self._spans.add(
            _METHOD,
            trace_id,
            server_id,
            call.span_id,
            received_ns,
            ended_ns,
            attributes,
            kind=SERVER,
            remote_parent=True,
        )
        if outcome.start_ns:
            self._add_run(call, outcome, trace_id, server_id, (ended_ns - ran_ns, ended_ns), error)

    def _add_run(
        self, call: Call, outcome: Outcome, trace_id: str, parent: bytes, times: tuple[int, int], error: str | None
    ) -> None:
        attributes: dict[str, str | int | float | bool] = {
            "gen_ai.tool.name": call.tool,
            "gen_ai.tool.call.id": call.proposal_id,
            "greenlight.tool.version": call.version,
            "greenlight.attempt": call.attempt,
        }
        if outcome.failure is not None:
            attributes["error.type"] = outcome.failure.reason
            attributes["greenlight.failure_class"] = outcome.failure.failure_class.value
            attributes["greenlight.known_effect"] = outcome.failure.effect.value
        span_id = derive_span_id(trace_id, call.id, "run")
        start, end = times
        self._spans.add(f"run_tool {call.tool}", trace_id, span_id, parent, start, end, attributes, error=error)
