"""Runs the peers in their own environment (`make bench-peers` installs it) and takes their figures."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import ROOT, environment

PYTHON = ROOT / ".venv-peers" / "bin" / "python"
SCRIPTS = Path(__file__).with_name("peers")
PEERS = {"LangGraph": "langgraph_peer.py", "DBOS": "dbos_peer.py", "Celery": "celery_peer.py"}
TIMEOUT = 600


@dataclass(frozen=True)
class Peer:
    name: str
    # By the keys of our own figures; empty = could not be measured, and the note says why.
    figures: dict[str, float]
    versions: dict[str, str]
    note: str


def measure_peers(folder: Path) -> list[Peer]:
    if not PYTHON.exists():
        return [Peer(name, {}, {}, "not installed: make bench-peers") for name in PEERS]
    return [_measure(name, folder / name.lower()) for name in PEERS]


def _measure(name: str, folder: Path) -> Peer:
    folder.mkdir(parents=True)
    done = subprocess.run(
        [PYTHON, SCRIPTS / PEERS[name], folder],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return Peer(name, {}, {}, f"not measured: {reason}")
    line = json.loads(done.stdout.splitlines()[-1])
    figures = {key: value for key, value in line.items() if isinstance(value, float)}
    return Peer(name, figures, line["versions"], line["note"])
