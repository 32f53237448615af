"""Stocks beside each other, over the months that all of them cover. Pure."""

from collections.abc import Mapping

from examples.research_stock import figures
from examples.research_stock.prices import Series
from examples.research_stock.results import RankedStock


def cut_to_common(closes: Mapping[str, Series]) -> tuple[str, str, dict[str, dict[str, float]]]:
    """First and last common month, and the closes between them. ValueError where there are none."""
    first, last = figures.common_window(closes.values())
    cut = {
        name: {month: close for month, close in series.items() if first <= month <= last}
        for name, series in closes.items()
    }
    return first, last, cut


def rank(closes: Mapping[str, Series]) -> list[RankedStock]:
    """Best mean rank first; of equals the first by name."""
    growth = {name: figures.annual_growth(series) for name, series in closes.items()}
    volatility = {name: figures.annual_volatility(figures.monthly_returns(series)) for name, series in closes.items()}
    drawdown = {name: figures.max_drawdown(series).depth for name, series in closes.items()}
    by_growth = figures.ranks(growth, highest_first=True)
    by_volatility = figures.ranks(volatility, highest_first=False)
    by_drawdown = figures.ranks(drawdown, highest_first=True)
    stocks = [
        RankedStock(
            ticker=name,
            annual_growth=growth[name],
            annual_volatility=volatility[name],
            drawdown=drawdown[name],
            growth_rank=by_growth[name],
            volatility_rank=by_volatility[name],
            drawdown_rank=by_drawdown[name],
        )
        for name in closes
    ]
    return sorted(stocks, key=lambda one: (one.growth_rank + one.volatility_rank + one.drawdown_rank, one.ticker))
