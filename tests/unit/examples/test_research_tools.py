"""The example's tools one by one: what they declare, refuse, report, and can be told to fail."""

from pathlib import Path
from typing import Any

import pytest

from examples.research_stock.settings import LATENCIES, Settings
from greenlight_tool import Effect, InvalidArgument, KnownEffect, Permanent, Tier, Transient
from greenlight_tool.testing import ArgumentsError
from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from tests.unit.examples.research import TEMPLATE, TOOLS, Desktop, settings

YEAR_2000 = {"2000-01": 1.0, "2000-02": 2.0, "2000-03": 1.0}
YEAR_2001 = {"2001-01": 1.0, "2001-02": 2.0, "2001-03": 1.0}


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


def test_the_readme_says_every_setting_tool_and_latency():
    readme = TEMPLATE.with_name("README.md").read_text(encoding="utf-8")
    for name in ("RESEARCH_STOCK_LATENCY_MS", "RESEARCH_STOCK_FAULT", "RESEARCH_STOCK_OUT"):
        assert f"`{name}`" in readme
    for tool, latency in LATENCIES.items():
        assert f"| `{tool}` | {TOOLS[tool].spec.effect} | {latency} |" in readme
