"""The report as Markdown, section by section, from findings and figures. Pure; what is missing is said, not hidden."""

from collections.abc import Iterator

from examples.research_stock.results import Findings, Profile
from examples.research_stock.sentences import Inputs, percent


def title(ticker: str, profile: Profile | None) -> str:
    return f"{profile.name} ({ticker})" if profile else ticker


def sections(found: Findings, profile: Profile | None, missing: list[str], inputs: Inputs) -> Iterator[str]:
    """Each is Markdown of its own, without a line end."""
    yield _head(found, profile)
    yield _list("Findings", [f"{one.text} [{', '.join(one.sources)}]" for one in found.findings], "Nothing was found.")
    if inputs.ranking:
        header = ["stock", "growth a year", "volatility", "drawdown", "ranks"]
        rows = [
            [
                stock.ticker,
                percent(stock.annual_growth),
                percent(stock.annual_volatility),
                percent(stock.drawdown),
                f"{stock.growth_rank}, {stock.volatility_rank}, {stock.drawdown_rank}",
            ]
            for stock in inputs.ranking.stocks
        ]
        yield _table("Among its peers [ranking]", header, rows)
    if inputs.years:
        incomplete = inputs.years.incomplete
        rows = [
            [year + (" (not complete)" if year == incomplete else ""), percent(value)]
            for year, value in sorted(inputs.years.by_year.items())
        ]
        yield _table("Year by year [years]", ["year", "return"], rows)
    yield _list("Missing", missing, "Nothing: every input came.")
    yield _foot(found)


def _head(found: Findings, profile: Profile | None) -> str:
    head = f"# {title(found.ticker, profile)}"
    if profile is None:
        return head
    span = f"{profile.months} month-end closes, {profile.first_month} to {profile.last_month}"
    return f"{head}\n\n{span}; the last is {profile.last_close:.2f} {profile.currency}. [profile]"


def _foot(found: Findings) -> str:
    source = f"Source: {found.provenance.source}. Names in brackets are the proposals that a figure comes from."
    latency = found.provenance.simulated_latency_ms
    return f"---\n{source}" + (" The providers' latency was simulated, the figures were not." if latency else "")


def _list(heading: str, items: list[str], otherwise: str) -> str:
    return f"## {heading}\n\n" + ("\n".join(f"- {item}" for item in items) or otherwise)


def _table(heading: str, header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return f"## {heading}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)
