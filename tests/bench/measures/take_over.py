"""From the end of an orchestrator to the next dispatch by another one: killed, or told to stop.

A READ call is running when the one that has it goes; the other takes the batch up and sends it again. The end is the
line that the tool writes when it starts. On SQLite the other one stands by; on PostgreSQL both are at work, and one
that was killed is missed when its lease has run out. Needs a PostgreSQL on the machine (apt-get install postgresql).
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

ROUNDS = 5
_KILLED, _TOLD = signal.SIGKILL, signal.SIGTERM
_HOW = {_KILLED: "kill -9", _TOLD: "SIGTERM"}


async def take_over(plan: Plan) -> list[Figure]:
    folder = plan.folder / "take_over"
    figures = [
        _figure("sqlite", _KILLED, await _measure(folder / "sqlite", "", _KILLED), 1000, 200),
        _figure("sqlite", _TOLD, await _measure(folder / "sqlite-told", "", _TOLD), 1000, 200),
    ]
    with postgres_server() as server:
        async with server.database() as url:
            found = await _measure(folder / "postgresql", url, _KILLED)
            figures.append(_figure("postgresql", _KILLED, found, 11_000, 6_000))
            found = await _measure(folder / "postgresql-told", url, _TOLD)
            figures.append(_figure("postgresql", _TOLD, found, 1000, 200))
    return figures


def _figure(store: str, how: signal.Signals, found: list[float], must: float, aim: float) -> Figure:
    label = f"{_HOW[how]} of the orchestrator to the next dispatch by another, on {store}"
    note = f"{len(found)} times, the longest {max(found):.0f} ms"
    key = "take_over" if how is _KILLED else "hand_over"
    return Figure(f"{key}_{store}_ms", label, median(found), "ms", must, aim, note=note)


async def _measure(folder: Path, store: str, how: signal.Signals) -> list[float]:
    folder.mkdir(parents=True)
    times: list[float] = []
    with ExitStack() as stack:
        address = stack.enter_context(executor(folder)).ready()["address"]
        active = stack.enter_context(orchestrator(folder, "start-0", address, store=store))
        async with stub(active.ready()["address"]) as client:
            await until_known(client, "read")
            await submit(client, call("read", "r", folder))
        for number in range(1, ROUNDS + 1):
            other = stack.enter_context(
                orchestrator(folder, f"start-{number}", address, store=store, standby=not store)
            )
            await _until_there(other, at_work=bool(store))
            _until_started(folder, number)
            active.popen.send_signal(how)
            gone = time.perf_counter()
            _until_started(folder, number + 1)
            times.append((time.perf_counter() - gone) * 1e3)
            said(other, "ready")
            active.popen.wait()
            active = other
    return times


async def _until_there(process: Process, *, at_work: bool) -> None:
    """Standing by, or at work and connected to the executor."""
    if at_work:
        async with stub(process.ready()["address"]) as client:
            return await until_known(client, "read")
    for _ in waiting("an orchestrator to stand by", process):
        if "standing by until" in process.err.read_text():
            return


def _until_started(folder: Path, count: int) -> None:
    until = time.perf_counter() + 30
    while len(ledger(folder)) < count:
        assert time.perf_counter() < until, "it was not sent again"
        time.sleep(0.001)
