"""What a measure comes to, and the arithmetic that all of them share."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    key: str
    label: str
    value: float
    unit: str
    # Limits; None = only reported.
    must: float | None = None
    aim: float | None = None
    higher_is_better: bool = False
    # What the ceiling reached, in `unit`.
    ceiling: float | None = None
    # How it was measured and how far it spread.
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.must is None or self.aim is None:
            return ""
        if self._within(self.aim):
            return "aim met"
        return "must met" if self._within(self.must) else "MISSED"

    def _within(self, limit: float) -> bool:
        return self.value >= limit if self.higher_is_better else self.value <= limit


def median(values: Sequence[float]) -> float:
    return percentile(values, 0.5)


def percentile(values: Sequence[float], part: float) -> float:
    """Between the two nearest ranks, linearly."""
    ordered = sorted(values)
    position = part * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def rounded(value: float) -> float:
    """Four digits that mean something."""
    return float(f"{value:.4g}")


def shown(value: float | None, unit: str = "") -> str:
    if value is None:
        return ""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if unit != "ms" else f"{value:.1f}"
    return f"{text} {unit}".rstrip()


def table(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
