"""Wall time of `make demo ARGS=--yes` on a machine that is set up."""

import subprocess
import time

from tests.bench.figures import Figure, median
from tests.bench.plan import Plan
from tests.bench.processes import ROOT, ProcessError, environment

RUNS = 3
TIMEOUT = 120


async def demo(_plan: Plan) -> list[Figure]:
    subprocess.run(["make", "setup"], cwd=ROOT, check=True, capture_output=True)
    times: list[float] = []
    for _ in range(RUNS):
        start = time.perf_counter()
        done = subprocess.run(
            ["make", "demo", "ARGS=--yes"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        times.append(time.perf_counter() - start)
        if done.returncode != 0:
            raise ProcessError(f"make demo ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return [Figure("demo_s", "`make demo ARGS=--yes`", median(times), "s", 30, 15, note=f"{RUNS} runs")]
