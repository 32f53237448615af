"""The table on the terminal, the JSON line, and docs/benchmarks.md."""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import Figure, rounded, shown, table
from tests.bench.machine import describe
from tests.bench.peers_run import Peer

QUICK_KEYS = [
    "batch_1000_per_s",
    "batch_1000_of_ceiling",
    "batches_100x10_per_s",
    "batches_100x10_of_ceiling",
    "five_50ms_p50_ms",
    "approve_to_start_p50_ms",
    "approve_to_start_p99_ms",
    "dag_over_critical_path",
    "neighbour_p99_ms",
]


def terminal(figures: Sequence[Figure]) -> str:
    head = ["measure", "ours", "ceiling", "must", "aim", "", "how"]
    return table([head, *(_row(figure) for figure in figures)])


def _row(figure: Figure) -> list[str]:
    unit = figure.unit
    return [
        figure.label,
        shown(figure.value, unit),
        shown(figure.ceiling, unit),
        shown(figure.must, unit),
        shown(figure.aim, unit),
        figure.verdict,
        figure.note,
    ]


def json_line(figures: Sequence[Figure]) -> str:
    by_key = {figure.key: rounded(figure.value) for figure in figures}
    return json.dumps({key: by_key[key] for key in QUICK_KEYS})


def markdown(figures: Sequence[Figure], peers: Sequence[Peer]) -> str:
    names = [peer.name for peer in peers]
    head = ["measure", "must", "aim", "ours", "ceiling", *names]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for figure in figures:
        unit = figure.unit
        cells = [figure.label, shown(figure.must, unit), shown(figure.aim, unit), f"**{shown(figure.value, unit)}**"]
        cells.append(shown(figure.ceiling, unit))
        cells += [shown(peer.figures.get(figure.key), unit) for peer in peers]
        lines.append("| " + " | ".join(cells) + " |")
    machine = [f"- {name}: {value}" for name, value in describe().items()]
    how = [f"- {figure.label}: {figure.note}" for figure in figures if figure.note]
    notes = [f"- {peer.name}{_versions(peer)}: {peer.note}" for peer in peers]
    return _PAGE.format(
        table="\n".join(lines), machine="\n".join(machine), spread="\n".join(how), peers="\n".join(notes)
    )


def write(path: Path, figures: Sequence[Figure], peers: Sequence[Peer]) -> None:
    path.write_text(markdown(figures, peers), encoding="utf-8")


def _versions(peer: Peer) -> str:
    return f" ({', '.join(f'{name} {version}' for name, version in peer.versions.items())})" if peer.versions else ""


_PAGE = Path(__file__).with_name("page.md").read_text(encoding="utf-8")
