from typing import Any

from shared.runtime.telemetry.meters import SECONDS, Meters


def _only_point(metrics: list[Any]) -> Any:
    (metric,) = metrics
    (point,) = metric.data.data_points
    return point


def test_bounds_are_those_of_the_convention():
    assert SECONDS[0] == 0.01
    assert SECONDS[-1] == 81.92
    assert len(SECONDS) == 14


def test_a_histogram_counts_by_bucket():
    meters = Meters()
    histogram = meters.histogram("h", "s", "", ("tool",))
    for value in (0.01, 0.011, 100.0):
        histogram.record(value, "echo")
    point = _only_point(meters.collect(1, 2))
    assert point.attributes == {"tool": "echo"}
    assert (point.count, point.min, point.max) == (3, 0.01, 100.0)
    assert point.bucket_counts[0] == 1  # bounds belong to the bucket below
    assert point.bucket_counts[1] == 1
    assert point.bucket_counts[-1] == 1
    assert (point.start_time_unix_nano, point.time_unix_nano) == (1, 2)


def test_a_counter_adds_up_and_leaves_out_empty_attributes():
    meters = Meters()
    counter = meters.counter("c", "{call}", "", ("tool", "error.type"))
    counter.add(2, "echo", "")
    counter.add(3, "echo", "")
    point = _only_point(meters.collect(1, 2))
    assert point.attributes == {"tool": "echo"}
    assert point.value == 5


def test_what_was_never_recorded_is_not_exported():
    meters = Meters()
    meters.counter("c", "1", "")
    meters.histogram("h", "s", "")
    assert meters.collect(1, 2) == []


def test_series_are_bounded():
    meters = Meters()
    counter, histogram = meters.counter("c", "1", "", ("tool",)), meters.histogram("h", "s", "", ("tool",))
    for number in range(5_000):
        counter.add(1, f"tool-{number}")
        histogram.record(1.0, f"tool-{number}")
    sums, histograms = meters.collect(1, 2)
    assert len(sums.data.data_points) == len(histograms.data.data_points) == 2_001
    assert sum(getattr(point, "value", 0) for point in sums.data.data_points) == 5_000
