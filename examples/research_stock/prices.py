"""The month-end closes of data/stocks.csv. Owns reading and cutting them; what is computed from them is figures.py."""

import csv
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

DATA_FILE = Path(__file__).parent / "data" / "stocks.csv"
SOURCE = "data/stocks.csv: month-end closes in USD, from vega_datasets 0.9.0"
NAMES = {"AAPL": "Apple", "AMZN": "Amazon", "GOOG": "Google", "IBM": "IBM", "MSFT": "Microsoft"}

Series = Mapping[str, float]
"""Month ("2000-01") to a number, oldest first."""


class Prices:
    """All closes, read once and never changed."""

    def __init__(self, closes: Mapping[str, Series]) -> None:
        self._closes = closes

    @classmethod
    def read(cls, path: Path = DATA_FILE) -> "Prices":
        """Raises ValueError where the file is not what data/README.md describes."""
        closes: dict[str, dict[str, float]] = {}
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                month = datetime.strptime(row["date"], "%b %d %Y").strftime("%Y-%m")  # noqa: DTZ007 - a month has no zone
                series = closes.setdefault(row["symbol"], {})
                if month in series:
                    raise ValueError(f"{row['symbol']} has two closes in {month}")
                series[month] = float(row["price"])
        return cls({symbol: dict(sorted(series.items())) for symbol, series in sorted(closes.items())})

    @property
    def symbols(self) -> list[str]:
        return list(self._closes)

    def closes(self, symbol: str, start: str | None = None, end: str | None = None) -> dict[str, float]:
        """The closes of months `start` to `end`, both included. Raises KeyError (unknown symbol)."""
        series = self._closes[symbol]
        return {month: close for month, close in series.items() if (start or "") <= month <= (end or "9999")}
