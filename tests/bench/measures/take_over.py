"""From kill -9 of the orchestrator to the next dispatch by the one that stands by, on SQLite and on PostgreSQL.

A READ call is running when the active one is killed; the standby takes the batch up and sends it again. The end is the
line that the tool writes when it starts. Needs a PostgreSQL on the machine (apt-get install postgresql).
"""

import signal
import time
from contextlib import ExitStack
from pathlib import Path

from tests.bench.figures import Figure, median
from tests.bench.plan import Plan
from tests.bench.processes import Process, waiting
from tests.support.postgresql import postgres_server
from tests.support.starts import call, executor, ledger, orchestrator, said, stub, submit, until_known

ROUNDS = 9


async def take_over(plan: Plan) -> list[Figure]:
    folder = plan.folder / "take_over"
    times = {"sqlite": await _measure(folder / "sqlite", "")}
    with postgres_server() as server:
        async with server.database() as url:
            times["postgresql"] = await _measure(folder / "postgresql", url)
    label = "kill -9 of the active orchestrator to the standby's next dispatch, on"
    return [
        Figure(f"take_over_{store}_ms", f"{label} {store}", median(found), "ms", 1000, 200, note=_note(found))
        for store, found in times.items()
    ]


def _note(found: list[float]) -> str:
    return f"{len(found)} times, the longest {max(found):.0f} ms"


async def _measure(folder: Path, store: str) -> list[float]:
    folder.mkdir(parents=True)
    times: list[float] = []
    with ExitStack() as stack:
        address = stack.enter_context(executor(folder)).ready()["address"]
        active = stack.enter_context(orchestrator(folder, "start-0", address, store=store))
        async with stub(active.ready()["address"]) as client:
            await until_known(client, "read")
            await submit(client, call("read", "r", folder))
        for number in range(1, ROUNDS + 1):
            waits = stack.enter_context(orchestrator(folder, f"start-{number}", address, store=store, standby=True))
            _until_standing_by(waits)
            _until_started(folder, number)
            active.popen.send_signal(signal.SIGKILL)
            killed = time.perf_counter()
            _until_started(folder, number + 1)
            times.append((time.perf_counter() - killed) * 1e3)
            said(waits, "ready")
            active.popen.wait()
            active = waits
    return times


def _until_standing_by(process: Process) -> None:
    for _ in waiting("an orchestrator to stand by", process):
        if "standing by until" in process.err.read_text():
            return


def _until_started(folder: Path, count: int) -> None:
    until = time.perf_counter() + 20
    while len(ledger(folder)) < count:
        assert time.perf_counter() < until, "it was not sent again"
        time.sleep(0.001)
