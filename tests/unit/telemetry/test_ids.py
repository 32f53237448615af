from shared.runtime.telemetry.ids import Parent, derive_span_id, parse_traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def test_a_span_id_follows_from_what_it_stands_for():
    one = derive_span_id(TRACE, "batch/key", "attempt", 1)
    assert len(one) == 8
    assert one == derive_span_id(TRACE, "batch/key", "attempt", 1)
    others = {
        derive_span_id(TRACE[::-1], "batch/key", "attempt", 1),
        derive_span_id(TRACE, "batch/key2", "attempt", 1),
        derive_span_id(TRACE, "batch/key", "queue", 1),
        derive_span_id(TRACE, "batch/key", "attempt", 2),
    }
    assert len(others | {one}) == 5


def test_traceparent_is_read():
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-01") == Parent(TRACE, SPAN)
    assert parse_traceparent(f" 00-{TRACE}-{SPAN}-00 ") == Parent(TRACE, SPAN)
    assert parse_traceparent(f"cc-{TRACE}-{SPAN}-01-what-comes-later") == Parent(TRACE, SPAN)


def test_what_is_no_traceparent_counts_as_absent():
    zero_trace, zero_span = "0" * 32, "0" * 16
    for header in (
        "",
        "x",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{zero_trace}-{SPAN}-01",
        f"00-{TRACE}-{zero_span}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
    ):
        assert parse_traceparent(header) is None, header
