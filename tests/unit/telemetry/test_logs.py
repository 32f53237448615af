import logging

from shared.runtime.telemetry.logs import TraceFilter, set_current


def _record(**extra: str) -> logging.LogRecord:
    record = logging.makeLogRecord(extra)
    assert TraceFilter().filter(record)
    return record


def test_a_record_gets_the_ids_of_its_task():
    assert (vars(_record())["trace_id"], vars(_record())["span_id"]) == ("", "")
    set_current("t", "s")
    try:
        assert (vars(_record())["trace_id"], vars(_record())["span_id"]) == ("t", "s")
        given = vars(_record(trace_id="other"))
        assert (given["trace_id"], given["span_id"]) == ("other", "")
    finally:
        set_current("", "")
