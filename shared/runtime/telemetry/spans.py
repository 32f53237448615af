"""Spans made at their end, from times and ids that are on record."""

from collections.abc import Callable, Mapping, Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

__all__ = ["CLIENT", "INTERNAL", "SERVER", "Attributes", "Spans"]

INTERNAL, CLIENT, SERVER = SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.SERVER
Attributes = Mapping[str, str | int | float | bool]

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_UNSET = Status(StatusCode.UNSET)
_ERROR = Status(StatusCode.ERROR)


class Spans:
    """Hands finished spans to `end`, which must return at once."""

    def __init__(self, end: Callable[[ReadableSpan], None], resource: Resource, scope: InstrumentationScope) -> None:
        self._end = end
        self._resource = resource
        self._scope = scope

    def add(
        self,
        name: str,
        trace_id: str,
        span_id: bytes,
        parent_id: bytes,
        start: int,
        end: int,
        attributes: Attributes,
        *,
        kind: SpanKind = INTERNAL,
        error: str | None = None,
        remote_parent: bool = False,
        links: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Times in ns since 1970. `trace_id` hex; `parent_id` empty: a root. `error`: the span's status says so ("" is
        an error without words). `links`: trace and span ids."""
        trace = int(trace_id, 16)
        parent = SpanContext(trace, int.from_bytes(parent_id), remote_parent, _SAMPLED) if parent_id else None
        self._end(
            ReadableSpan(
                name,
                SpanContext(trace, int.from_bytes(span_id), False, _SAMPLED),
                parent,
                self._resource,
                attributes,
                (),
                [Link(SpanContext(int(other, 16), int.from_bytes(span), True, _SAMPLED)) for other, span in links],
                kind,
                None,
                _UNSET if error is None else Status(StatusCode.ERROR, error) if error else _ERROR,
                start,
                max(start, end),
                self._scope,
            )
        )
