"""A start with 10,000 live proposals in 1,000 batches, after kill -9: until each batch has dispatched one of them.

The executor is away while they are submitted, so that none of them runs before; it is back when the new start begins.
Counted from when what was the killed one's is free. SQLite's file is so at once: from when the process is started that
takes it over. On PostgreSQL that has to have seen the other one's lease stand still for a period: from a period after
it saw it first, which is when it renewed its own first. Needs a PostgreSQL on the machine (apt-get install postgresql).
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.bench.figures import Figure
from tests.bench.plan import Plan
from tests.bench.processes import Process, environment, free_port, python, running, waiting
from tests.bench.services import TOOLBOX
from tests.support.postgresql import PostgresServer, postgres_server
from tests.support.starts import stub, until_known

BATCHES, CALLS = 1_000, 10
AT_ONCE = 32
LEASE = 5.0

# Returns when it was free, as time.perf_counter() says.
Freed = Callable[[Process], Awaitable[float]]


async def restart(plan: Plan) -> list[Figure]:
    folder = plan.folder / "restart"
    seconds = await _measure(folder / "sqlite", "", _at_its_start)
    figures = [_figure("sqlite", seconds, "from the start of the process, after kill -9")]
    with postgres_server() as server:
        async with server.database() as url:
            freed = partial(_one_lease_after_its_first, server, url.rpartition("/")[2])
            seconds = await _measure(folder / "postgresql", url, freed)
    figures.append(_figure("postgresql", seconds, "from the end of the lease of the one that was killed"))
    return figures


def _figure(store: str, seconds: float, note: str) -> Figure:
    live = f"{BATCHES * CALLS:,} live proposals in {BATCHES:,} batches"
    label = f"a start with {live} on {store}, until each has dispatched one"
    return Figure(f"restart_{store}_s", label, seconds, "s", 10, 3, note=note)


async def _measure(folder: Path, store: str, freed: Freed) -> float:
    told = folder / "told"
    with ExitStack() as stack:
        port = free_port()
        first = stack.enter_context(_orchestrator(folder, "first", port, store))
        with _executor(folder, "known", port) as executor:
            executor.ready()
            async with stub(first.ready()["address"]) as client:
                await until_known(client, "tell")
        async with stub(first.ready()["address"]) as client:
            await _submit(client, told)
        first.popen.send_signal(signal.SIGKILL)
        first.popen.wait()
        stack.enter_context(_executor(folder, "back", port)).ready()
        second = stack.enter_context(_orchestrator(folder, "second", port, store))
        start = await freed(second)
        for _ in waiting("each batch to go on", second, timeout=120):
            if told.exists() and len(set(told.read_text().splitlines())) == BATCHES:
                break
        return time.perf_counter() - start


async def _at_its_start(process: Process) -> float:
    return time.perf_counter()


async def _one_lease_after_its_first(server: PostgresServer, database: str, process: Process) -> float:
    incarnation = process.ready()["incarnation_id"]
    renewed = "SELECT 1 FROM incarnations WHERE id = $1 AND counter > 0"
    while not await server.query(database, renewed, incarnation):
        process.check()
    return time.perf_counter() + LEASE


@contextmanager
def _orchestrator(folder: Path, name: str, executor_port: int, store: str) -> Iterator[Process]:
    command = python("-m", "orchestrator_svc", "--listen", "127.0.0.1:0", "--data", str(folder / "data"))
    command += ["--executors", f"127.0.0.1:{executor_port}", "--drain-grace", "0"]
    settings = environment(
        GREENLIGHT_STORE=store,
        GREENLIGHT_LEASE_PERIOD=str(LEASE),
        GREENLIGHT_QUEUE_TIMEOUT="600",
        GREENLIGHT_RESOLVE_INTERVAL="0.1",
    )
    with running(name, command, folder, settings) as process:
        yield process


@contextmanager
def _executor(folder: Path, name: str, port: int) -> Iterator[Process]:
    command = python("-m", "executor_svc", "--listen", f"127.0.0.1:{port}", "--toolbox", str(TOOLBOX))
    command += ["--data", str(folder / "executor"), "--drain-grace", "0"]
    with running(name, command, folder, environment()) as process:
        yield process


async def _submit(client: Any, told: Path) -> None:
    new = proposal_pb2.ProposalSpec
    arguments = f'{{"path":"{told}"}}'
    calls = [new(key=str(number), tool="tell", arguments_json=arguments) for number in range(CALLS)]
    request = pb.SubmitBatchRequest(batch=batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=calls)))
    slots = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with slots:
            await client.SubmitBatch(request)

    await asyncio.gather(*(one() for _ in range(BATCHES)))
