"""What is computed from closes: pure functions of the standard library. Series are month ("2000-01") to number."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import floor, sqrt
from statistics import correlation, covariance, fmean, stdev, variance

from examples.research_stock.prices import Series

MONTHS_A_YEAR = 12


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall below an earlier high. `recovered` is None where the high was not seen again."""

    depth: float
    peak: str
    trough: str
    recovered: str | None


def monthly_returns(closes: Series) -> dict[str, float]:
    """Close over the close before, minus 1; the first month has none. ValueError below two months."""
    months = sorted(closes)
    _need(months, 2, "closes")
    return {now: closes[now] / closes[before] - 1 for before, now in pairwise(months)}


def total_return(closes: Series) -> float:
    """Last close over the first, minus 1."""
    months = sorted(closes)
    _need(months, 2, "closes")
    return closes[months[-1]] / closes[months[0]] - 1


def annual_growth(closes: Series) -> float:
    """The yearly rate that leads from the first close to the last (CAGR)."""
    return (1 + total_return(closes)) ** (MONTHS_A_YEAR / (len(closes) - 1)) - 1


def yearly_returns(closes: Series) -> dict[str, float]:
    """Last close of a year over the last of the year before, minus 1; the first year has none."""
    last = {month[:4]: closes[month] for month in sorted(closes)}
    years = sorted(last)
    return {now: last[now] / last[before] - 1 for before, now in pairwise(years)}


def annual_volatility(returns: Series) -> float:
    """Sample standard deviation of monthly returns, times the root of 12."""
    _need(returns, 2, "returns")
    return stdev(returns.values()) * sqrt(MONTHS_A_YEAR)


def max_drawdown(closes: Series) -> Drawdown:
    """The deepest fall from a running high. Depth is 0 or negative; the earliest of equals."""
    months = sorted(closes)
    _need(months, 1, "closes")
    peak = months[0]
    deepest = Drawdown(0.0, peak, peak, peak)
    for month in months:
        if closes[month] >= closes[peak]:
            peak = month
        depth = closes[month] / closes[peak] - 1
        if depth < deepest.depth:
            deepest = Drawdown(depth, peak, month, None)
    high, trough = closes[deepest.peak], deepest.trough
    recovered = next((month for month in months if month >= trough and closes[month] >= high), None)
    return Drawdown(deepest.depth, deepest.peak, trough, recovered)


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which `share` (0 to 1) lies, linear between neighbours."""
    ordered = sorted(values)
    _need(ordered, 1, "values")
    place = share * (len(ordered) - 1)
    below = floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def mean_series(many: Iterable[Series]) -> dict[str, float]:
    """The equally weighted mean of those that have the month."""
    by_month: dict[str, list[float]] = {}
    for series in many:
        for month, value in series.items():
            by_month.setdefault(month, []).append(value)
    return {month: fmean(by_month[month]) for month in sorted(by_month)}


def beta(returns: Series, benchmark: Series) -> float:
    """Covariance with the benchmark over its variance, in the months that both have."""
    own, other = _common(returns, benchmark)
    return covariance(own, other) / variance(other)


def return_correlation(returns: Series, other: Series) -> float:
    """Pearson's coefficient in the months that both have."""
    return correlation(*_common(returns, other))


def common_window(many: Iterable[Series]) -> tuple[str, str]:
    """First and last month of the span that all of them cover. ValueError where there is none."""
    spans = [(min(series), max(series)) for series in many if series]
    _need(spans, 1, "series")
    first, last = max(first for first, _ in spans), min(last for _, last in spans)
    if first >= last:
        raise ValueError("the series have no two months in common")
    return first, last


def ranks(values: Mapping[str, float], *, highest_first: bool) -> dict[str, int]:
    """1 is the best; equals share the better rank."""
    ordered = sorted(values.values(), reverse=highest_first)
    return {name: ordered.index(value) + 1 for name, value in values.items()}


def _common(one: Series, other: Series) -> tuple[list[float], list[float]]:
    months = sorted(one.keys() & other.keys())
    _need(months, 3, "common months")
    return [one[month] for month in months], [other[month] for month in months]


def _need(have: Iterable[object], count: int, what: str) -> None:
    found = len(list(have))
    if found < count:
        raise ValueError(f"{found} {what}, and at least {count} are needed")
