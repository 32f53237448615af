"""The tools of the example. What they compute is in figures.py, what they say in sentences.py and report.py."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import Field

from examples.research_stock import figures, report, writing
from examples.research_stock.desk import Desk, enough_data
from examples.research_stock.peers import cut_to_common, rank
from examples.research_stock.prices import NAMES, Prices
from examples.research_stock.results import (
    Beta,
    Closes,
    Correlations,
    Downside,
    DrawdownResult,
    Findings,
    Growth,
    History,
    Month,
    MonthlyReturns,
    PeerHistories,
    PeerReturns,
    Profile,
    Provenance,
    Ranking,
    Report,
    Returns,
    Ticker,
    Volatility,
    Written,
    YearlyReturns,
)
from examples.research_stock.sentences import Inputs, find
from examples.research_stock.settings import Settings
from greenlight_tool import NONE, InvalidArgument, Permanent, Retry, ToolContext, Unavailable, tool

_DAY = 86_400.0
_PROVIDER = Retry(max_attempts=3, initial_delay=0.5, max_delay=5.0)
FileTitle = Annotated[str, Field(min_length=1, max_length=200)]
MarkdownText = Annotated[str, Field(min_length=1, max_length=200_000)]


@asynccontextmanager
async def lifespan() -> AsyncGenerator[Desk, None]:
    """Reads settings and prices once, when the executor starts."""
    yield Desk(Prices.read(), Settings.read())


@tool(effect="READ", ttl=_DAY, retry=_PROVIDER)
async def company_profile(ticker: Ticker, context: ToolContext) -> Profile:
    """What is known of a stock, and which others it can be compared with."""
    desk = Desk.of(context)
    provenance = await desk.serve("company_profile", context)
    closes = _closes(desk, ticker)
    months = list(closes)
    return Profile(
        ticker=ticker,
        name=NAMES.get(ticker, ticker),
        currency="USD",
        first_month=months[0],
        last_month=months[-1],
        months=len(months),
        last_close=closes[months[-1]],
        peers=[symbol for symbol in desk.prices.symbols if symbol != ticker],
        provenance=provenance,
    )


@tool(effect="READ", ttl=_DAY, concurrency=8, retry=_PROVIDER)
async def price_history(ticker: Ticker, start: Month, end: Month, context: ToolContext) -> History:
    """The month-end closes of a stock.

    Args:
        start: The first month.
        end: The last month.
    """
    desk = Desk.of(context)
    provenance = await desk.serve("price_history", context)
    return History(ticker, _closes(desk, ticker, start, end), provenance)


@tool(effect="READ", ttl=_DAY, concurrency=8, retry=_PROVIDER)
async def peer_histories(tickers: list[Ticker], start: Month, end: Month, context: ToolContext) -> PeerHistories:
    """The month-end closes of several stocks.

    Args:
        start: The first month.
        end: The last month.
    """
    desk = Desk.of(context)
    provenance = await desk.serve("peer_histories", context)
    found: dict[str, dict[str, float]] = {}
    for number, ticker in enumerate(tickers, 1):
        found[ticker] = _closes(desk, ticker, start, end)
        context.progress(number / len(tickers), f"{ticker}: {len(found[ticker])} months")
    return PeerHistories(found, provenance)


@tool(effect="READ")
async def monthly_returns(closes: Closes, context: ToolContext) -> MonthlyReturns:
    """Each month's return."""
    provenance = await Desk.of(context).serve("monthly_returns", context)
    return MonthlyReturns(figures.monthly_returns(closes), provenance)


@tool(effect="READ")
async def peer_returns(closes: dict[Ticker, Closes], context: ToolContext) -> PeerReturns:
    """Each month's return, of several stocks."""
    provenance = await Desk.of(context).serve("peer_returns", context)
    return PeerReturns({ticker: figures.monthly_returns(series) for ticker, series in closes.items()}, provenance)


@tool(effect="READ")
async def growth(closes: Closes, context: ToolContext) -> Growth:
    """The return over all months, and the yearly rate that it amounts to."""
    provenance = await Desk.of(context).serve("growth", context)
    first, last = min(closes), max(closes)
    return Growth(
        first_month=first,
        last_month=last,
        first_close=closes[first],
        last_close=closes[last],
        total=figures.total_return(closes),
        annual=figures.annual_growth(closes),
        provenance=provenance,
    )


@tool(effect="READ")
async def yearly_returns(closes: Closes, context: ToolContext) -> YearlyReturns:
    """The return of each calendar year, from December to December."""
    provenance = await Desk.of(context).serve("yearly_returns", context)
    by_year = figures.yearly_returns(closes)
    if not by_year:
        raise InvalidArgument("the closes lie within one year", effect=NONE)
    last = max(closes)
    return YearlyReturns(
        by_year=by_year,
        best=max(by_year, key=by_year.__getitem__),
        worst=min(by_year, key=by_year.__getitem__),
        incomplete=None if last.endswith("-12") else last[:4],
        provenance=provenance,
    )


@tool(effect="READ")
async def volatility(returns: Returns, context: ToolContext) -> Volatility:
    """The standard deviation of monthly returns, as a yearly figure."""
    provenance = await Desk.of(context).serve("volatility", context)
    return Volatility(figures.annual_volatility(returns), len(returns), provenance)


@tool(effect="READ")
async def drawdown(closes: Closes, context: ToolContext) -> DrawdownResult:
    """The deepest fall below an earlier high, and when it was made good."""
    provenance = await Desk.of(context).serve("drawdown", context)
    found = figures.max_drawdown(closes)
    return DrawdownResult(found.depth, found.peak, found.trough, found.recovered, provenance)


@tool(effect="READ")
async def downside(returns: Returns, worst: Annotated[int, Field(ge=1, le=12)], context: ToolContext) -> Downside:
    """How often and how hard it fell.

    Args:
        worst: How many of the worst months are named.
    """
    provenance = await Desk.of(context).serve("downside", context)
    months = sorted(returns, key=returns.__getitem__)[:worst]
    return Downside(
        falling_share=sum(value < 0 for value in returns.values()) / len(returns),
        five_percent_quantile=figures.quantile(returns.values(), 0.05),
        worst_months={month: returns[month] for month in months},
        provenance=provenance,
    )


@tool(effect="READ")
async def beta(returns: Returns, peers: dict[Ticker, Returns], context: ToolContext) -> Beta:
    """How strongly a stock moves with others: with their mean, and with each."""
    provenance = await Desk.of(context).serve("beta", context)
    with enough_data():
        by_peer = {ticker: figures.beta(returns, series) for ticker, series in peers.items()}
        return Beta(figures.beta(returns, figures.mean_series(peers.values())), by_peer, provenance)


@tool(effect="READ")
async def correlations(returns: Returns, peers: dict[Ticker, Returns], context: ToolContext) -> Correlations:
    """How alike a stock and each of the others move."""
    provenance = await Desk.of(context).serve("correlations", context)
    with enough_data():
        found = {ticker: figures.return_correlation(returns, series) for ticker, series in peers.items()}
    return Correlations(found, provenance)


@tool(effect="READ")
def ranking(ticker: Ticker, closes: Closes, peers: dict[Ticker, Closes], context: ToolContext) -> Ranking:
    """A stock and its peers by growth, volatility and drawdown, over the months that all of them cover."""
    provenance = Desk.of(context).serve_plain("ranking", context)
    with enough_data():
        first, last, cut = cut_to_common({ticker: closes, **peers})
        return Ranking(first, last, rank(cut), provenance)


@tool(effect="READ")
async def findings(
    ticker: Ticker,
    context: ToolContext,
    growth: Growth | None = None,
    years: YearlyReturns | None = None,
    volatility: Volatility | None = None,
    drawdown: DrawdownResult | None = None,
    downside: Downside | None = None,
    beta: Beta | None = None,
    correlation: Correlations | None = None,
    ranking: Ranking | None = None,
) -> Findings:
    """What the figures say, from those that came; names the proposals of each finding, and what is missing."""
    provenance = await Desk.of(context).serve("findings", context)
    inputs = Inputs(growth, years, volatility, drawdown, downside, beta, correlation, ranking)
    found = find(ticker, inputs)
    summary = " ".join(one.text for one in found[:3]) or f"Nothing was found on {ticker}."
    if inputs.missing:
        summary += f" Missing: {', '.join(inputs.missing)}."
    return Findings(ticker, found, inputs.missing, summary, provenance)


@tool(effect="READ")
async def compose_report(
    findings: Findings,
    context: ToolContext,
    profile: Profile | None = None,
    years: YearlyReturns | None = None,
    ranking: Ranking | None = None,
) -> Report:
    """The report as Markdown; each section goes out as soon as it is written."""
    provenance = await Desk.of(context).serve("compose_report", context)
    missing = findings.missing if profile else ["profile", *findings.missing]
    written: list[str] = []
    for section in report.sections(findings, profile, missing, Inputs(years=years, ranking=ranking)):
        context.chunk(section)
        written.append(section)
    return Report(report.title(findings.ticker, profile), "\n\n".join(written) + "\n", missing, provenance)


@tool(effect="IDEMPOTENT")
def save_note(title: FileTitle, text: MarkdownText, context: ToolContext) -> Written:
    """Keeps a short note in a file. Saving it again changes nothing."""
    desk = Desk.of(context)
    provenance = desk.serve_plain("save_note", context)
    folder = writing.tenant_folder(desk.settings.out, context.tenant, "notes")
    path = folder / writing.safe_name(title, context.idempotency_key)
    markdown = f"# {title}\n\n{text}\n"
    try:
        writing.write_again(path, markdown)
    except OSError as error:
        raise Unavailable(f"cannot write the note: {error.strerror}") from error
    return _written(path, markdown, provenance)


@tool(effect="NON_IDEMPOTENT")
def publish_report(title: FileTitle, markdown: MarkdownText, context: ToolContext) -> Written:
    """Publishes a report as a Markdown file, once and for all.

    Args:
        markdown: The whole text: who approves this call approves exactly it.
    """
    desk = Desk.of(context)
    provenance = desk.serve_plain("publish_report", context)
    folder = writing.tenant_folder(desk.settings.out, context.tenant, "reports")
    path = folder / writing.safe_name(title, context.proposal_id)
    try:
        writing.write_once(path, markdown)
    except FileExistsError:
        raise Permanent(f"{path.name} is published already", effect=NONE, reason="ALREADY_PUBLISHED") from None
    except OSError as error:
        raise Unavailable(f"cannot write the report: {error.strerror}", effect=NONE) from error
    return _written(path, markdown, provenance)


def _closes(desk: Desk, ticker: str, start: str | None = None, end: str | None = None) -> dict[str, float]:
    try:
        closes = desk.prices.closes(ticker, start, end)
    except KeyError:
        known = ", ".join(desk.prices.symbols)
        raise InvalidArgument(f"{ticker} is not in the data; there are: {known}", effect=NONE) from None
    if not closes:
        raise InvalidArgument(f"{ticker} has no closes from {start} to {end}", effect=NONE)
    return closes


def _written(path: Path, text: str, provenance: Provenance) -> Written:
    content = text.encode()
    return Written(str(path), len(content), sha256(content).hexdigest(), provenance)
