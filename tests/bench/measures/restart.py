"""A start with 10,000 live proposals in 1,000 batches, after kill -9: until each batch has dispatched one of them.

The executor is away while they are submitted, so that none of them runs before; it is back when the new start begins.
Counted from when the process is there that takes them over: SQLite frees the file at once.
"""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.bench.figures import Figure
from tests.bench.plan import Plan
from tests.bench.processes import Process, environment, free_port, python, running, waiting
from tests.bench.services import TOOLBOX
from tests.support.starts import stub, until_known

BATCHES, CALLS = 1_000, 10
AT_ONCE = 32


async def restart(plan: Plan) -> list[Figure]:
    folder = plan.folder / "restart"
    told = folder / "told"
    with ExitStack() as stack:
        port = free_port()
        first = stack.enter_context(_orchestrator(folder, "first", port))
        with _executor(folder, "known", port) as executor:
            executor.ready()
            async with stub(first.ready()["address"]) as client:
                await until_known(client, "tell")
        async with stub(first.ready()["address"]) as client:
            await _submit(client, told)
        first.popen.send_signal(signal.SIGKILL)
        first.popen.wait()
        stack.enter_context(_executor(folder, "back", port)).ready()
        start = time.perf_counter()
        second = stack.enter_context(_orchestrator(folder, "second", port))
        for _ in waiting("each batch to go on", second, timeout=120):
            if told.exists() and len(set(told.read_text().splitlines())) == BATCHES:
                break
        elapsed = time.perf_counter() - start
    label = f"a start with {BATCHES * CALLS:,} live proposals in {BATCHES:,} batches, until each has dispatched one"
    return [Figure("restart_s", label, elapsed, "s", 10, 3, note="from the start of the process, after kill -9")]


@contextmanager
def _orchestrator(folder: Path, name: str, executor_port: int) -> Iterator[Process]:
    command = python("-m", "orchestrator_svc", "--listen", "127.0.0.1:0", "--data", str(folder / "data"))
    command += ["--executors", f"127.0.0.1:{executor_port}", "--drain-grace", "0"]
    settings = environment(GREENLIGHT_QUEUE_TIMEOUT="600", GREENLIGHT_RESOLVE_INTERVAL="0.1")
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
