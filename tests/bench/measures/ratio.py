"""The same work on two pairs, alternately; the median of the ratios is what survives a noisy machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.clients import Client, seconds, warm_up
from tests.bench.figures import median, percentile


@dataclass(frozen=True)
class Ratio:
    # Calls a second, medians.
    one: float
    other: float
    # Of `one` to `other`, each pair by itself: median and quartiles.
    ratio: float
    low: float
    high: float


async def compare(one: Client, other: Client, counts: Sequence[int], pairs: int) -> Ratio:
    await warm_up(one, other)
    for client in (one, other):
        await seconds(client, counts)
    calls = sum(counts)
    rates: list[tuple[float, float]] = []
    for _ in range(pairs):
        first = calls / await seconds(one, counts)
        second = calls / await seconds(other, counts)
        rates.append((first, second))
    ratios = [first / second for first, second in rates]
    return Ratio(
        median([first for first, _ in rates]),
        median([second for _, second in rates]),
        median(ratios),
        percentile(ratios, 0.25),
        percentile(ratios, 0.75),
    )
