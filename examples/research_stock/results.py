"""What the tools return, and what those that build on them take. Their JSON Schemas come from these types."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

Ticker = Annotated[str, Field(pattern=r"^[A-Z]{1,5}$", description="Stock symbol, for example AAPL")]
Month = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", description="A month, for example 2004-08")]
Closes = Annotated[dict[Month, Annotated[float, Field(gt=0)]], Field(min_length=3, description="Month to close in USD")]
Returns = Annotated[dict[Month, float], Field(min_length=2, description="Month to return; 0.05 is five percent")]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a figure comes from. The latency stands for a remote provider's and is not part of any computation."""

    source: str
    simulated_latency_ms: int


@dataclass(frozen=True, slots=True)
class Profile:
    ticker: Ticker
    name: str
    currency: str
    first_month: Month
    last_month: Month
    months: int
    last_close: float
    peers: list[Ticker]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class History:
    ticker: Ticker
    closes: Closes
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class PeerHistories:
    closes: dict[Ticker, Closes]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class MonthlyReturns:
    monthly: Returns
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class PeerReturns:
    monthly: dict[Ticker, Returns]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Growth:
    first_month: Month
    last_month: Month
    first_close: float
    last_close: float
    total: float
    annual: float
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class YearlyReturns:
    """`incomplete`: the last year, where the data ends before its December."""

    by_year: dict[str, float]
    best: str
    worst: str
    incomplete: str | None
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Volatility:
    annual: float
    months: int
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class DrawdownResult:
    depth: float
    peak: Month
    trough: Month
    recovered: Month | None
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Downside:
    falling_share: float
    five_percent_quantile: float
    worst_months: dict[Month, float]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Beta:
    """Against the equally weighted mean of the peers, and against each."""

    against_mean: float
    by_peer: dict[Ticker, float]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Correlations:
    by_peer: dict[Ticker, float]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class RankedStock:
    """Rank 1 is the best: the highest growth, the lowest volatility, the shallowest drawdown."""

    ticker: Ticker
    annual_growth: float
    annual_volatility: float
    drawdown: float
    growth_rank: int
    volatility_rank: int
    drawdown_rank: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """Over the months that all of them cover; best mean rank first."""

    first_month: Month
    last_month: Month
    stocks: list[RankedStock]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Finding:
    """`sources` are the keys of the proposals that it comes from."""

    text: str
    sources: list[str]


@dataclass(frozen=True, slots=True)
class Findings:
    """`missing` are the keys of the proposals that gave nothing."""

    ticker: Ticker
    findings: list[Finding]
    missing: list[str]
    summary: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Report:
    title: str
    markdown: str
    missing: list[str]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Written:
    path: str
    bytes: int
    sha256: str
    provenance: Provenance
