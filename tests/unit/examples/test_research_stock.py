"""The example's whole template: its shape, its figures against pandas, and what it says of what is missing."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from examples.research_stock.prices import DATA_FILE
from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.domain.references import find_references
from tests.unit.examples.research import MARKDOWN_FILES, TOOLS, Desktop, expand, settings

TABLE: Any = (
    pd.read_csv(DATA_FILE)
    .assign(month=lambda frame: pd.to_datetime(frame["date"], format="%b %d %Y").dt.strftime("%Y-%m"))
    .pivot_table(index="month", columns="symbol", values="price")
)


def test_the_template_has_five_agents_and_at_least_fourteen_proposals_with_references():
    proposals = expand()
    assert list(dict.fromkeys(one.agent for one in proposals)) == ["data", "fundamentals", "risk", "peers", "synthesis"]
    assert len(proposals) >= 14
    referring = [one for one in proposals if find_references(json.loads(one.arguments))]
    assert len(referring) >= 14
    assert {one.tool for one in proposals} == set(TOOLS)


def test_dependencies_point_backwards_so_that_one_by_one_runs_too():
    seen: set[str] = set()
    for proposal in expand():
        references = find_references(json.loads(proposal.arguments))
        assert set(references.by_key() if references else ()) <= seen
        seen.add(proposal.key)


def test_a_finding_is_called_after_the_proposal_that_it_comes_from():
    [findings] = [one for one in expand() if one.key == "findings"]
    arguments = json.loads(findings.arguments)
    referred = {name: value["$from"] for name, value in arguments.items() if isinstance(value, dict)}
    assert referred == {name: name for name in referred}
    assert all(value["default"] is None for value in arguments.values() if isinstance(value, dict))


@pytest.mark.parametrize("ticker", ["AAPL", "AMZN", "GOOG", "IBM", "MSFT"])
async def test_the_whole_template_on_every_stock(tmp_path: Path, ticker: str):
    results = await Desktop(settings(tmp_path)).run(json.dumps({"ticker": ticker}))
    assert set(results) == {one.key for one in expand()}
    for key, result in results.items():
        [tool] = [one.tool for one in expand() if one.key == key]
        schema = TOOLS[tool].spec.result_schema
        assert schema
        assert JsonSchemaRsCompiler().compile(schema).validate(result) == []
    closes = TABLE[ticker].dropna()
    assert results["profile"]["months"] == len(closes) == len(results["history"]["closes"])
    assert results["findings"]["missing"] == []
    assert len(results["findings"]["findings"]) >= 8
    [file] = (tmp_path / "reports").glob(MARKDOWN_FILES)
    assert str(file) == results["publish"]["path"]
    assert file.read_text(encoding="utf-8") == results["report"]["markdown"]
    assert sha256(file.read_bytes()).hexdigest() == results["publish"]["sha256"]
    [note] = (tmp_path / "notes").glob(MARKDOWN_FILES)
    assert results["findings"]["summary"] in note.read_text(encoding="utf-8")


async def test_the_figures_in_the_results_are_those_of_pandas(desktop: Desktop):
    results = await desktop.run('{"ticker": "MSFT", "worst_months": 2}')
    closes = TABLE["MSFT"].dropna()
    returns = closes.pct_change().dropna()
    assert results["growth"]["total"] == pytest.approx(closes.iloc[-1] / closes.iloc[0] - 1)
    assert results["volatility"]["annual"] == pytest.approx(returns.std() * 12**0.5)
    assert results["drawdown"]["depth"] == pytest.approx((closes / closes.cummax() - 1).min())
    assert results["downside"]["falling_share"] == pytest.approx((returns < 0).mean())
    assert results["downside"]["worst_months"] == pytest.approx(returns.nsmallest(2).to_dict())
    peers = TABLE.drop(columns="MSFT").pct_change(fill_method=None).dropna(how="all")
    correlations = {peer: returns.corr(peers[peer]) for peer in peers}
    assert results["correlation"]["by_peer"] == pytest.approx(correlations)
    mean = peers.mean(axis=1)
    assert results["beta"]["against_mean"] == pytest.approx(returns.cov(mean) / mean[returns.index].var())


async def test_the_ranking_is_that_of_pandas_over_the_common_months(desktop: Desktop):
    ranking = (await desktop.run())["ranking"]
    common = TABLE.dropna()
    assert (ranking["first_month"], ranking["last_month"]) == (common.index[0], common.index[-1])
    growth = (common.iloc[-1] / common.iloc[0]) ** (12 / (len(common) - 1)) - 1
    volatility = common.pct_change().std() * 12**0.5
    drawdown = (common / common.cummax() - 1).min()
    rows = {row["ticker"]: row for row in ranking["stocks"]}
    for name, values, ascending in [
        ("growth", growth, False),
        ("volatility", volatility, True),
        ("drawdown", drawdown, False),
    ]:
        ranks = values.rank(ascending=ascending).astype(int).to_dict()
        assert {ticker: row[f"{name}_rank"] for ticker, row in rows.items()} == ranks
    assert {ticker: row["annual_growth"] for ticker, row in rows.items()} == pytest.approx(growth.to_dict())
    assert {ticker: row["drawdown"] for ticker, row in rows.items()} == pytest.approx(drawdown.to_dict())


async def test_findings_say_figures_and_name_their_proposals(desktop: Desktop):
    results = await desktop.run('{"ticker": "AAPL"}')
    found = {tuple(one["sources"]): one["text"] for one in results["findings"]["findings"]}
    closes = TABLE["AAPL"].dropna()
    assert f"from {closes.iloc[0]:.2f} to {closes.iloc[-1]:.2f} USD" in found["growth",]
    falls = closes / closes.cummax() - 1
    assert f"fell by {-falls.min() * 100:.1f} %" in found["drawdown",]
    assert ("growth", "volatility") in found
    assert {source for sources in found for source in sources} <= set(results)
    for text in found.values():
        assert text in results["report"]["markdown"]


async def test_one_agent_fails_and_the_report_comes_and_says_what_is_missing(tmp_path: Path):
    results = await Desktop(settings(tmp_path, "peer_histories:permanent")).run()
    assert results["findings"]["missing"] == ["beta", "correlation", "ranking"]
    assert "Missing: beta, correlation, ranking." in results["findings"]["summary"]
    [file] = (tmp_path / "reports").glob(MARKDOWN_FILES)
    text = file.read_text(encoding="utf-8")
    assert "## Missing\n\n- beta\n- correlation\n- ranking\n" in text
    assert "Among its peers" not in text


async def test_everything_fails_and_the_report_still_says_so(tmp_path: Path):
    results = await Desktop(settings(tmp_path, "company_profile:permanent")).run()
    assert set(results) == {"findings", "report", "note", "publish"}
    assert len(results["findings"]["missing"]) == 8
    assert results["report"]["missing"] == ["profile", *results["findings"]["missing"]]
    assert "Nothing was found." in results["report"]["markdown"]
