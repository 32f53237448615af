"""Trace and span ids on log records, so that logs and traces find each other."""

import logging
from contextvars import ContextVar

_current: ContextVar[tuple[str, str]] = ContextVar("trace_and_span", default=("", ""))


def set_current(trace_id: str, span_id: str) -> None:
    """For what the current task logs from now on, and the tasks that it starts. Hex; both empty: none."""
    _current.set((trace_id, span_id))


class TraceFilter(logging.Filter):
    """Gives every record `trace_id` and `span_id`, for handlers' formats: what the caller gave (`extra`), else the
    task's, else empty."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "trace_id"):
            record.trace_id, record.span_id = _current.get()
        elif not hasattr(record, "span_id"):
            record.span_id = ""
        return True
