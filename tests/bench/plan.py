"""How much of everything is measured, and where the processes leave their files."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    # For data and output; emptied by the caller.
    folder: Path
    # Of a ratio: ours and the ceiling, alternately.
    pairs: int
    # Of a latency.
    samples: int
    dags: int


def quick(folder: Path) -> Plan:
    return Plan(folder, pairs=21, samples=300, dags=60)


def full(folder: Path) -> Plan:
    return Plan(folder, pairs=41, samples=1000, dags=200)
