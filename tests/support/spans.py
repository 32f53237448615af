"""Spans kept in memory, for tests of what makes them."""

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from shared.runtime.telemetry.spans import Spans


class KeptSpans(Spans):
    """`ended`: all that came, in order."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []
        super().__init__(self.ended.append, Resource({}), InstrumentationScope("test"))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.ended if span.name == name]

    def tree(self) -> dict[str, list[str]]:
        """Name of parent ("" for roots) -> names of its children, by start; names of siblings are told apart by #."""
        by_id = {span_id(span): span for span in self.ended}
        tree: dict[str, list[str]] = {}
        for span in sorted(self.ended, key=lambda span: span.start_time or 0):
            parent = by_id.get(span.parent.span_id) if span.parent else None
            tree.setdefault(parent.name if parent else "", []).append(span.name)
        return tree


def span_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id
