"""The trace's id on log records, so that logs and traces find each other."""

import logging


class TraceFilter(logging.Filter):
    """Gives every record `trace`, for handlers' formats: where its `extra` has a `trace_id`, what names it, else ""."""

    def filter(self, record: logging.LogRecord) -> bool:
        trace_id = getattr(record, "trace_id", "")
        record.trace = f" trace_id={trace_id}" if trace_id else ""
        return True
