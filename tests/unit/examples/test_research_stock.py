import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from examples.research_stock import writing
from examples.research_stock.prices import DATA_FILE
from examples.research_stock.settings import LATENCIES, Settings
from greenlight_tool import Effect, InvalidArgument, KnownEffect, Permanent, Tier, Transient, Unavailable
from greenlight_tool.testing import ArgumentsError
from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.domain.references import find_references
from tests.unit.examples.research import TEMPLATE, TOOLS, Desktop, expand, settings

TABLE: Any = (
    pd.read_csv(DATA_FILE)
    .assign(month=lambda frame: pd.to_datetime(frame["date"], format="%b %d %Y").dt.strftime("%Y-%m"))
    .pivot_table(index="month", columns="symbol", values="price")
)
YEAR_2000 = {"2000-01": 1.0, "2000-02": 2.0, "2000-03": 1.0}
YEAR_2001 = {"2001-01": 1.0, "2001-02": 2.0, "2001-03": 1.0}
MARKDOWN_FILES = "tenant-default/*.md"


@pytest.fixture
def desktop(tmp_path: Path) -> Desktop:
    return Desktop(settings(tmp_path))


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


def test_effects_and_tiers_are_as_the_template_says():
    assert {name: (tool.spec.effect, tool.spec.tier) for name, tool in TOOLS.items() if tool.spec.effect != "READ"} == {
        "save_note": (Effect.IDEMPOTENT, Tier.SOFT),
        "publish_report": (Effect.NON_IDEMPOTENT, Tier.HARD),
    }
    assert all(tool.spec.tier == Tier.AUTO for tool in TOOLS.values() if tool.spec.effect == Effect.READ)


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_every_tool_is_described_and_its_schemas_compile(name: str):
    spec = TOOLS[name].spec
    assert spec.description.endswith(".")
    assert JsonSchemaRsCompiler().compile(spec.arguments_schema)
    assert spec.result_schema
    assert JsonSchemaRsCompiler().compile(spec.result_schema)


def test_every_tool_has_a_simulated_latency():
    assert set(LATENCIES) == set(TOOLS)
    assert all(150 <= latency <= 400 for latency in LATENCIES.values())


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


async def test_the_declared_fault_is_transient_and_gone_at_the_second_attempt(tmp_path: Path):
    desktop = Desktop(settings(tmp_path, "company_profile, growth"))
    with pytest.raises(Transient) as raised:
        await desktop.use("company_profile", {"ticker": "IBM"})
    assert (raised.value.effect, raised.value.reason) == (KnownEffect.NONE, "DECLARED_FAULT")
    assert (await desktop.use("company_profile", {"ticker": "IBM"}, attempt=2))["name"] == "IBM"


async def test_the_permanent_fault_stays(tmp_path: Path):
    desktop = Desktop(settings(tmp_path, "publish_report:permanent"))
    for attempt in (1, 2):
        with pytest.raises(Permanent, match="RESEARCH_STOCK_FAULT") as raised:
            await desktop.use("publish_report", {"title": "t", "markdown": "m"}, attempt=attempt)
        assert raised.value.effect == KnownEffect.NONE
    assert not (tmp_path / "reports").exists()


async def test_results_say_where_they_come_from_and_what_was_simulated(tmp_path: Path):
    given = Settings.read({"RESEARCH_STOCK_LATENCY_MS": "1", "RESEARCH_STOCK_OUT": str(tmp_path)})
    profile = await Desktop(given).use("company_profile", {"ticker": "IBM"})
    assert profile["provenance"]["simulated_latency_ms"] == 1
    assert "data/stocks.csv" in profile["provenance"]["source"]
    report = (await Desktop(given).run())["report"]["markdown"]
    assert "latency was simulated" in report
    assert "latency was simulated" not in (await Desktop(settings(tmp_path / "off")).run())["report"]["markdown"]


def test_settings_have_defaults_and_refuse_nonsense():
    given = Settings.read({})
    assert (given.latencies, given.faults) == (LATENCIES, {})
    assert given.out == Path("research_stock_out").absolute()
    assert set(Settings.read({"RESEARCH_STOCK_LATENCY_MS": "0"}).latencies.values()) == {0}
    assert Settings.read({"RESEARCH_STOCK_FAULT": "growth,beta:permanent"}).faults == {"growth": False, "beta": True}
    for name, value in [
        ("RESEARCH_STOCK_LATENCY_MS", "-1"),
        ("RESEARCH_STOCK_LATENCY_MS", "fast"),
        ("RESEARCH_STOCK_LATENCY_MS", "10001"),
        ("RESEARCH_STOCK_FAULT", "growht"),
        ("RESEARCH_STOCK_FAULT", "growth:always"),
    ]:
        with pytest.raises(ValueError, match=name):
            Settings.read({name: value})


async def test_progress_and_chunks_are_reported(desktop: Desktop):
    span = {"start": "2004-08", "end": "2004-12"}
    await desktop.use("peer_histories", {"tickers": ["IBM", "GOOG"], **span})
    assert desktop.signals.progressed == [(0.5, "IBM: 5 months"), (1.0, "GOOG: 5 months")]
    findings = await desktop.use("findings", {"ticker": "IBM"})
    report = await desktop.use("compose_report", {"findings": findings})
    assert "\n\n".join(desktop.signals.chunks) + "\n" == report["markdown"]
    assert report["title"] == "IBM"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("company_profile", {"ticker": "../x"}),
        ("company_profile", {}),
        ("price_history", {"ticker": "IBM", "start": "2000", "end": "2001-01"}),
        ("growth", {"closes": {"2000-01": 1.0}}),
        ("growth", {"closes": {"2000-01": 1.0, "2000-02": -1.0, "2000-03": 1.0}}),
        ("downside", {"returns": {"2000-01": 1.0, "2000-02": 1.0}, "worst": 0}),
        ("publish_report", {"title": "", "markdown": "x"}),
        ("save_note", {"title": "x"}),
    ],
)
async def test_arguments_that_do_not_fit_are_refused(desktop: Desktop, tool: str, arguments: dict[str, Any]):
    with pytest.raises(ArgumentsError):
        await desktop.use(tool, arguments)
    assert JsonSchemaRsCompiler().compile(TOOLS[tool].spec.arguments_schema).validate(arguments)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("company_profile", {"ticker": "TSLA"}, "there are: AAPL, AMZN, GOOG, IBM, MSFT"),
        (
            "price_history",
            {"ticker": "GOOG", "start": "2000-01", "end": "2001-01"},
            "no closes from 2000-01 to 2001-01",
        ),
        ("yearly_returns", {"closes": YEAR_2000}, "within one year"),
        ("beta", {"returns": {"2000-01": 0.1, "2000-02": 0.2}, "peers": {}}, "needed"),
        (
            "correlations",
            {"returns": {"2000-01": 0.1, "2000-02": 0.2}, "peers": {"A": {"2001-01": 0, "2001-02": 0}}},
            "needed",
        ),
        ("ranking", {"ticker": "B", "closes": YEAR_2000, "peers": {"A": YEAR_2001}}, "in common"),
    ],
)
async def test_what_the_data_does_not_hold_is_said(desktop: Desktop, tool: str, arguments: dict[str, Any], said: str):
    with pytest.raises(InvalidArgument, match=said) as raised:
        await desktop.use(tool, arguments)
    assert raised.value.effect == KnownEffect.NONE


async def test_a_note_is_written_again_under_the_same_name(desktop: Desktop, tmp_path: Path):
    first = await desktop.use("save_note", {"title": "IBM", "text": "one"}, attempt=1)
    again = await desktop.use("save_note", {"title": "IBM", "text": "one"}, attempt=2)
    assert first == again
    assert Path(first["path"]).read_text(encoding="utf-8") == "# IBM\n\none\n"
    other = await desktop.use("save_note", {"title": "IBM", "text": "two"}, idempotency_key="other")
    assert other["path"] != first["path"]
    assert len(list((tmp_path / "notes").glob(MARKDOWN_FILES))) == 2


async def test_a_report_is_published_once(desktop: Desktop):
    first = await desktop.use("publish_report", {"title": "IBM", "markdown": "one"})
    with pytest.raises(Permanent) as raised:
        await desktop.use("publish_report", {"title": "IBM", "markdown": "two"})
    assert (raised.value.effect, raised.value.reason) == (KnownEffect.NONE, "ALREADY_PUBLISHED")
    assert Path(first["path"]).read_text(encoding="utf-8") == "one"
    assert [file.suffix for file in Path(first["path"]).parent.iterdir()] == [".md"]


async def test_tenants_have_folders_of_their_own(desktop: Desktop, tmp_path: Path):
    for tenant in ("acme", "..", ".", "a.b"):
        written = await desktop.use("publish_report", {"title": "IBM", "markdown": "x"}, tenant=tenant)
        assert Path(written["path"]).parent == tmp_path / "reports" / f"tenant-{tenant}"


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    desktop = Desktop(settings(tmp_path / "file"))
    for tool, arguments in [
        ("publish_report", {"title": "t", "markdown": "m"}),
        ("save_note", {"title": "t", "text": "m"}),
    ]:
        with pytest.raises(Unavailable, match="cannot write"):
            await desktop.use(tool, arguments)


@pytest.mark.parametrize(
    "title", ["../../etc/passwd", "a/b\\c", "\x00", "ü" * 200, "CON", "-", "x" * 200, "Apple (AAPL)"]
)
def test_file_names_are_safe_whatever_the_title(title: str):
    name = writing.safe_name(title, "unique")
    assert Path(name).name == name
    assert len(name) < 100
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert name.count(".") == 1
    assert name != writing.safe_name(title, "another")


def test_the_readme_says_every_setting_tool_and_latency():
    readme = TEMPLATE.with_name("README.md").read_text(encoding="utf-8")
    for name in ("RESEARCH_STOCK_LATENCY_MS", "RESEARCH_STOCK_FAULT", "RESEARCH_STOCK_OUT"):
        assert f"`{name}`" in readme
    for tool, latency in LATENCIES.items():
        assert f"| `{tool}` | {TOOLS[tool].spec.effect} | {latency} |" in readme
