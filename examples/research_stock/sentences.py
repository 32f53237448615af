"""Findings in words: each sentence says one thing and names the proposals that its figures come from. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from examples.research_stock.results import (
    Beta,
    Correlations,
    Downside,
    DrawdownResult,
    Finding,
    Growth,
    Ranking,
    Volatility,
    YearlyReturns,
)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the other agents found; None: it did not come. Each is called after its proposal."""

    growth: Growth | None = None
    years: YearlyReturns | None = None
    volatility: Volatility | None = None
    drawdown: DrawdownResult | None = None
    downside: Downside | None = None
    beta: Beta | None = None
    correlation: Correlations | None = None
    ranking: Ranking | None = None

    @property
    def missing(self) -> list[str]:
        return [field.name for field in fields(self) if getattr(self, field.name) is None]


def find(ticker: str, inputs: Inputs) -> list[Finding]:
    """As many as the inputs allow, the most important first."""
    return [*_returns(ticker, inputs), *_risks(ticker, inputs), *_peers(ticker, inputs)]


def percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def _returns(ticker: str, inputs: Inputs) -> Iterator[Finding]:
    if growth := inputs.growth:
        closes = f"from {growth.first_close:.2f} to {growth.last_close:.2f} USD"
        span = f"between {growth.first_month} and {growth.last_month}"
        yield Finding(f"{ticker} went {closes} {span}: {percent(growth.annual)} a year.", ["growth"])
    if years := inputs.years:
        best, worst = years.by_year[years.best], years.by_year[years.worst]
        text = f"Its best year was {years.best} ({percent(best)}), its worst {years.worst} ({percent(worst)})."
        yield Finding(text, ["years"])
    if inputs.growth and inputs.volatility and inputs.volatility.annual > 0:
        ratio = inputs.growth.annual / inputs.volatility.annual
        text = f"For each point of volatility it grew by {ratio:.2f} points a year."
        yield Finding(text, ["growth", "volatility"])


def _risks(ticker: str, inputs: Inputs) -> Iterator[Finding]:
    if volatility := inputs.volatility:
        text = f"The volatility of {ticker} is {percent(volatility.annual)} a year, over {volatility.months} months."
        yield Finding(text, ["volatility"])
    if drawdown := inputs.drawdown:
        back = f"was back at that high in {drawdown.recovered}" if drawdown.recovered else "has not been back since"
        fall = f"fell by {percent(-drawdown.depth)} from {drawdown.peak} to {drawdown.trough}"
        yield Finding(f"At worst it {fall} and {back}.", ["drawdown"])
    if downside := inputs.downside:
        often = f"It fell in {percent(downside.falling_share)} of all months"
        bad = f"the worst twentieth of them began at {percent(downside.five_percent_quantile)}"
        yield Finding(f"{often}; {bad}.", ["downside"])


def _peers(ticker: str, inputs: Inputs) -> Iterator[Finding]:
    if beta := inputs.beta:
        text = f"Where the mean of its peers moved by 1 %, it moved by {beta.against_mean:.2f} % (beta)."
        yield Finding(text, ["beta"])
    if inputs.correlation:
        by_peer = inputs.correlation.by_peer
        most, least = max(by_peer, key=by_peer.__getitem__), min(by_peer, key=by_peer.__getitem__)
        text = f"It moved most like {most} ({by_peer[most]:.2f}) and least like {least} ({by_peer[least]:.2f})."
        yield Finding(text, ["correlation"])
    if ranking := inputs.ranking:
        row = next(stock for stock in ranking.stocks if stock.ticker == ticker)
        places = f"{row.growth_rank} by growth, {row.volatility_rank} by volatility, {row.drawdown_rank} by drawdown"
        span = f"from {ranking.first_month} to {ranking.last_month}"
        yield Finding(f"Among {len(ranking.stocks)} stocks {span} it ranks {places}.", ["ranking"])
