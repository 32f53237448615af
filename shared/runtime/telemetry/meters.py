"""Metrics as plain numbers: a look-up and an addition each, exported as they stand. Not thread-safe: of one loop.

The names of a metric's attributes are fixed with it, and a recording gives their values in that order.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.metrics.export import (
    Gauge as GaugeData,
)
from opentelemetry.sdk.metrics.export import (
    Histogram as HistogramData,
)

SECONDS = tuple(0.01 * 2**power for power in range(14))
"""Bucket bounds for durations: 0.01 s doubling to 81.92 s."""

Values = tuple[str, ...]
_M = TypeVar("_M", "Counter", "Gauge", "Histogram")
_SERIES = 2_000
_OVERFLOW = "overflow"


class _Meter:
    """Name, words and attribute names of one metric."""

    def __init__(self, name: str, unit: str, description: str, attributes: Sequence[str]) -> None:
        self.name = name
        self.unit = unit
        self.description = description
        self.attributes = tuple(attributes)

    def named(self, values: Values) -> dict[str, str]:
        return {name: value for name, value in zip(self.attributes, values, strict=True) if value}

    def bounded(self, values: Values, series: int) -> Values:
        """Values come from outside, such as tools' names: one metric keeps a bounded number of series."""
        return values if series < _SERIES else (_OVERFLOW,) * len(self.attributes)


class Counter(_Meter):
    """Grows only."""

    def __init__(self, name: str, unit: str, description: str, attributes: Sequence[str] = ()) -> None:
        super().__init__(name, unit, description, attributes)
        self._sums: dict[Values, int] = {}

    def add(self, amount: int, *values: str) -> None:
        if values not in self._sums:
            values = self.bounded(values, len(self._sums))
        self._sums[values] = self._sums.get(values, 0) + amount

    def collect(self, since: int, now: int) -> Metric:
        points = [NumberDataPoint(self.named(values), since, now, total) for values, total in self._sums.items()]
        data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        return Metric(self.name, self.description, self.unit, data)


class Gauge(_Meter):
    """A number as it is now."""

    def __init__(self, name: str, unit: str, description: str) -> None:
        super().__init__(name, unit, description, ())
        self.value = 0

    def collect(self, since: int, now: int) -> Metric:
        data = GaugeData([NumberDataPoint({}, since, now, self.value)])
        return Metric(self.name, self.description, self.unit, data)


@dataclass(slots=True)
class _Series:
    buckets: list[int]
    count: int = 0
    total: float = 0.0
    low: float = field(default=float("inf"))
    high: float = 0.0


class Histogram(_Meter):
    """Values in buckets."""

    def __init__(
        self,
        name: str,
        unit: str,
        description: str,
        attributes: Sequence[str] = (),
        bounds: Sequence[float] = SECONDS,
    ) -> None:
        super().__init__(name, unit, description, attributes)
        self._bounds = tuple(bounds)
        self._series: dict[Values, _Series] = {}

    def record(self, value: float, *values: str) -> None:
        series = self._series.get(values)
        if series is None:
            values = self.bounded(values, len(self._series))
            series = self._series.setdefault(values, _Series([0] * (len(self._bounds) + 1)))
        series.buckets[bisect_left(self._bounds, value)] += 1
        series.count += 1
        series.total += value
        if value < series.low:
            series.low = value
        if value > series.high:
            series.high = value

    def collect(self, since: int, now: int) -> Metric:
        points = [
            HistogramDataPoint(
                self.named(values), since, now, s.count, s.total, tuple(s.buckets), self._bounds, s.low, s.high
            )
            for values, s in self._series.items()
        ]
        data = HistogramData(points, AggregationTemporality.CUMULATIVE)
        return Metric(self.name, self.description, self.unit, data)


class Meters:
    """All metrics of a service, as `export` collects them."""

    def __init__(self) -> None:
        self._meters: list[Counter | Gauge | Histogram] = []

    def counter(self, name: str, unit: str, description: str, attributes: Sequence[str] = ()) -> Counter:
        return self._add(Counter(name, unit, description, attributes))

    def gauge(self, name: str, unit: str, description: str) -> Gauge:
        return self._add(Gauge(name, unit, description))

    def histogram(self, name: str, unit: str, description: str, attributes: Sequence[str] = ()) -> Histogram:
        return self._add(Histogram(name, unit, description, attributes))

    def collect(self, since: int, now: int) -> list[Metric]:
        return [metric for meter in self._meters if (metric := meter.collect(since, now)).data.data_points]

    def _add(self, meter: _M) -> _M:
        self._meters.append(meter)
        return meter
