"""python -m tests.bench quick | full | MEASURE...

quick prints a table, and JSON as its last line. full measures everything, the peers too, and writes
docs/benchmarks.md. Names of single measures print a table. Files of the processes: --keep FOLDER.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import grpc  # noqa: F401 - before our services' packages: the client of the measures is a stock one

from tests.bench import plan, report
from tests.bench.figures import Figure
from tests.bench.machine import conditions
from tests.bench.measures.across import across
from tests.bench.measures.approve_to_start import approve_to_start
from tests.bench.measures.dags import dags
from tests.bench.measures.demo import demo
from tests.bench.measures.five_50ms import five_50ms
from tests.bench.measures.memory import memory
from tests.bench.measures.neighbour import neighbour
from tests.bench.measures.non_idempotent import non_idempotent
from tests.bench.measures.otlp import otlp
from tests.bench.measures.postgresql import postgresql
from tests.bench.measures.restart import restart
from tests.bench.measures.take_over import take_over
from tests.bench.measures.throughput import batch_1000, batches_100x10
from tests.bench.measures.waiting import waiting
from tests.bench.peers_run import measure_peers
from tests.bench.plan import Plan
from tests.bench.processes import ROOT

Measure = Callable[[Plan], Coroutine[None, None, list[Figure]]]
QUICK: list[Measure] = [batch_1000, batches_100x10, five_50ms, approve_to_start, dags, neighbour]
MEASURES: list[Measure] = [*QUICK[:2], otlp, non_idempotent, *QUICK[2:], memory, demo]
# Long, or needs more than Python: never part of `full`.
OTHERS: list[Measure] = [postgresql, across, take_over, restart, waiting]
BY_NAME = {measure.__name__: measure for measure in [*MEASURES, *OTHERS]}


def measure_all(measures: list[Measure], how: Plan) -> list[Figure]:
    figures: list[Figure] = []
    for measure in measures:
        start = time.perf_counter()
        figures += asyncio.run(measure(how))
        print(f"{measure.__name__}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    return figures


def run(what: list[str], folder: Path) -> None:
    print(f"before: {conditions()}", file=sys.stderr)
    if what == ["quick"]:
        figures = measure_all(QUICK, plan.quick(folder))
        print(report.terminal(figures))
        print(f"after: {conditions()}")
        print(report.json_line(figures))
    elif what == ["full"]:
        figures = measure_all(MEASURES, plan.full(folder))
        print(report.terminal(figures))
        page = ROOT / "docs" / "benchmarks.md"
        report.write(page, figures, measure_peers(folder))
        print(f"written: {page.relative_to(ROOT)}")
    else:
        print(report.terminal(measure_all([BY_NAME[name] for name in what], plan.quick(folder))))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", nargs="+", choices=["quick", "full", *BY_NAME], metavar="WHAT", help=", ".join(BY_NAME))
    parser.add_argument("--keep", type=Path, help="a new folder for data and output, not deleted afterwards")
    options = parser.parse_args()
    # So that the processes are ended in order, whoever ends this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.keep:
        options.keep.mkdir(parents=True)
        run(options.what, options.keep.resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="greenlight-bench-") as folder:
            run(options.what, Path(folder))


if __name__ == "__main__":
    main()
