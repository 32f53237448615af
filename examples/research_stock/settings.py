"""What the environment says to this example; README.md lists it. Nothing else here reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# What a remote provider's API would take, in ms: simulated, so that running side by side has something to win.
LATENCIES = {
    "company_profile": 150,
    "price_history": 400,
    "peer_histories": 400,
    "monthly_returns": 200,
    "peer_returns": 200,
    "growth": 200,
    "yearly_returns": 250,
    "volatility": 250,
    "drawdown": 300,
    "downside": 200,
    "beta": 250,
    "correlations": 300,
    "ranking": 350,
    "findings": 300,
    "compose_report": 350,
    "save_note": 150,
    "publish_report": 150,
}
_PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Settings:
    """`latencies`: ms by tool. `faults`: tool to whether it fails for good (True) or at its first attempt (False)."""

    latencies: Mapping[str, int]
    faults: Mapping[str, bool]
    out: Path

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Settings":  # noqa: TID251 - the home of it
        """Raises ValueError that names the variable and says what it may be."""
        return cls(
            latencies=_latencies(environment.get("RESEARCH_STOCK_LATENCY_MS", "")),
            faults=dict(
                _fault(word) for word in environment.get("RESEARCH_STOCK_FAULT", "").split(",") if word.strip()
            ),
            out=Path(environment.get("RESEARCH_STOCK_OUT") or "research_stock_out").absolute(),
        )


def _latencies(value: str) -> Mapping[str, int]:
    if not value:
        return LATENCIES
    if not (value.isascii() and value.isdigit() and int(value) <= 10_000):
        raise ValueError(f"RESEARCH_STOCK_LATENCY_MS is 0 (off) to 10000 for every tool, not {value!r}")
    return dict.fromkeys(LATENCIES, int(value))


def _fault(word: str) -> tuple[str, bool]:
    tool, _, how = word.strip().partition(":")
    if tool not in LATENCIES or how not in ("", _PERMANENT):
        known = ", ".join(LATENCIES)
        raise ValueError(f"RESEARCH_STOCK_FAULT is TOOL or TOOL:{_PERMANENT}, several with commas; tools: {known}")
    return tool, how == _PERMANENT
