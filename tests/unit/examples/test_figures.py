"""The example's figures against pandas, on the same file."""

import hashlib
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from examples.research_stock import figures
from examples.research_stock.prices import DATA_FILE, Prices

PRICES = Prices.read()
TABLE: Any = (
    pd.read_csv(DATA_FILE)
    .assign(month=lambda frame: pd.to_datetime(frame["date"], format="%b %d %Y").dt.strftime("%Y-%m"))
    .pivot_table(index="month", columns="symbol", values="price")
)
RETURNS = TABLE.pct_change(fill_method=None)
SYMBOLS = ["AAPL", "AMZN", "GOOG", "IBM", "MSFT"]


def close_to(value: float):
    return pytest.approx(value, rel=1e-9, abs=1e-12)


def close_to_all(expected: dict[str, float]):
    return pytest.approx(expected, rel=1e-9)


def test_the_file_is_read_whole():
    assert PRICES.symbols == SYMBOLS
    assert {symbol: len(PRICES.closes(symbol)) for symbol in SYMBOLS} == TABLE.count().to_dict()
    assert sum(len(PRICES.closes(symbol)) for symbol in SYMBOLS) == 560
    assert PRICES.closes("MSFT")["2000-01"] == 39.81


def test_the_data_is_as_its_provenance_says():
    digest = hashlib.sha256(DATA_FILE.read_bytes()).hexdigest()
    assert digest in (DATA_FILE.parent / "README.md").read_text(encoding="utf-8")


def test_a_file_with_two_closes_in_a_month_is_refused(tmp_path: Path):
    file = tmp_path / "two.csv"
    file.write_text("symbol,date,price\nA,Jan 1 2000,1\nA,Jan 2 2000,2\n")
    with pytest.raises(ValueError, match="two closes in 2000-01"):
        Prices.read(file)


def test_closes_are_cut_at_both_ends():
    assert list(PRICES.closes("IBM", "2001-11", "2002-01")) == ["2001-11", "2001-12", "2002-01"]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_returns(symbol: str):
    expected = RETURNS[symbol].dropna().to_dict()
    assert figures.monthly_returns(PRICES.closes(symbol)) == close_to_all(expected)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_growth(symbol: str):
    closes = TABLE[symbol].dropna()
    whole = closes.iloc[-1] / closes.iloc[0]
    assert figures.total_return(PRICES.closes(symbol)) == close_to(whole - 1)
    assert figures.annual_growth(PRICES.closes(symbol)) == close_to(whole ** (12 / (len(closes) - 1)) - 1)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_yearly_returns(symbol: str):
    closes = TABLE[symbol].dropna()
    expected = closes.groupby(closes.index.str[:4]).last().pct_change().dropna().to_dict()
    assert figures.yearly_returns(PRICES.closes(symbol)) == close_to_all(expected)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_volatility(symbol: str):
    found = figures.annual_volatility(figures.monthly_returns(PRICES.closes(symbol)))
    assert found == close_to(RETURNS[symbol].std() * math.sqrt(12))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_drawdown(symbol: str):
    closes = TABLE[symbol].dropna()
    falls = closes / closes.cummax() - 1
    found = figures.max_drawdown(PRICES.closes(symbol))
    assert found.depth == close_to(falls.min())
    assert found.trough == falls.idxmin()
    assert found.peak == closes[: found.trough].idxmax()
    after = closes[found.trough :]
    recovered = after[after >= closes[found.peak]]
    assert found.recovered == (recovered.index[0] if len(recovered) else None)


def test_a_series_that_only_rises_has_no_drawdown():
    found = figures.max_drawdown({"2000-01": 1.0, "2000-02": 2.0})
    assert (found.depth, found.recovered) == (0.0, "2000-01")


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_quantiles(share: float):
    assert figures.quantile(figures.monthly_returns(PRICES.closes("AMZN")).values(), share) == close_to(
        RETURNS["AMZN"].quantile(share)
    )


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_beta_against_the_mean_of_the_others(symbol: str):
    others = [figures.monthly_returns(PRICES.closes(other)) for other in SYMBOLS if other != symbol]
    benchmark = figures.mean_series(others)
    expected = RETURNS.drop(columns=symbol).mean(axis=1)
    assert benchmark == close_to_all(expected.dropna().to_dict())
    pair = pd.concat([RETURNS[symbol], expected], axis=1).dropna()
    beta = pair.cov().iloc[0, 1] / pair.iloc[:, 1].var()
    assert figures.beta(figures.monthly_returns(PRICES.closes(symbol)), benchmark) == close_to(beta)


def test_correlations():
    matrix = RETURNS.corr()
    for one in SYMBOLS:
        for other in SYMBOLS:
            found = figures.return_correlation(
                figures.monthly_returns(PRICES.closes(one)), figures.monthly_returns(PRICES.closes(other))
            )
            assert found == close_to(matrix.loc[one, other])


def test_the_common_window_is_that_of_the_youngest():
    all_closes = [PRICES.closes(symbol) for symbol in SYMBOLS]
    assert figures.common_window(all_closes) == (TABLE.dropna().index[0], TABLE.dropna().index[-1])
    with pytest.raises(ValueError, match="in common"):
        figures.common_window([{"2000-01": 1.0}, {"2001-01": 1.0}])


@pytest.mark.parametrize("highest_first", [True, False])
def test_ranks(highest_first: bool):
    values = {"a": 3.0, "b": 1.0, "c": 3.0, "d": 2.0}
    expected = pd.Series(values).rank(method="min", ascending=not highest_first).astype(int).to_dict()
    assert figures.ranks(values, highest_first=highest_first) == expected


@pytest.mark.parametrize(
    "compute",
    [
        lambda: figures.monthly_returns({"2000-01": 1.0}),
        lambda: figures.total_return({}),
        lambda: figures.annual_volatility({"2000-01": 0.1}),
        lambda: figures.max_drawdown({}),
        lambda: figures.quantile([], 0.5),
        lambda: figures.beta({"2000-01": 0.1}, {"2000-01": 0.1}),
        lambda: figures.common_window([]),
    ],
)
def test_too_little_data_is_said_with_numbers(compute: object):
    assert callable(compute)
    with pytest.raises(ValueError, match=r"\d .*, and at least \d are needed"):
        compute()
