"""An orchestrator that was stopped for longer than its lease goes on, and has not heard yet whose its batches are.

Its database keeps still, so that it does not hear of it for long; its executor it reaches, and asks it for its calls.
"""

import asyncio
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from shared.kernel.tasks import Supervisor
from tests.bench.processes import Process
from tests.recovery.test_standby import kill
from tests.support.half_open import HalfOpenProxy
from tests.support.postgresql import PostgresServer, postgres_server
from tests.support.proxy import CuttableProxy
from tests.support.refusals import refusal
from tests.support.starts import (
    call,
    executor,
    finished,
    ledger,
    open_gates,
    orchestrator,
    stub,
    submit,
    until_known,
    until_started,
)

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]
LEASE = 2.0
UNHEARD_OF = "says nothing of"
"""What an orchestrator logs when a call's time is over and it was told nothing of it."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@dataclass
class Taken:
    """A batch whose NON_IDEMPOTENT call runs, and taken from `one`, which is stopped, by `other`."""

    one: Process
    other: Process
    batch_id: str
    link: CuttableProxy

    def go_on(self) -> None:
        self.link.heard = self.link.answered = b""
        self.one.popen.send_signal(signal.SIGCONT)

    async def until_heard(self) -> None:
        """Until `one` has said something of the call to its executor, since it went on."""
        while f"{self.batch_id}/s/1".encode() not in self.link.heard:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.001)


@pytest.fixture
async def taken(tmp_path: Path, server: PostgresServer) -> AsyncGenerator[Taken]:
    async with taken_from(tmp_path, server) as taken:
        yield taken


@asynccontextmanager
async def taken_from(
    folder: Path, server: PostgresServer, *, program: str = "executor_svc", timeout: int = 20, margin: float = 10
) -> AsyncGenerator[Taken]:
    """`program`: the executor's. `timeout`: the call's; after twice that, and `margin`, `other` asks for it."""
    env = {"GREENLIGHT_ANSWER_MARGIN": str(margin)}
    async with server.database() as url, HalfOpenProxy(f"127.0.0.1:{server.port}") as database:
        with executor(folder, program=program) as tools:
            address = tools.ready()["address"]
            async with CuttableProxy(address) as link:
                slow = url.replace(f":{server.port}/", f":{database.address.rpartition(':')[2]}/")
                with (
                    orchestrator(folder, "one", link.address, store=slow, lease=LEASE) as one,
                    orchestrator(folder, "other", address, store=url, lease=LEASE, env=env) as other,
                ):
                    async with overtaken(folder, one, other, link, database, timeout) as taken:
                        yield taken
                    kill(one)


@asynccontextmanager
async def overtaken(
    folder: Path, one: Process, other: Process, link: CuttableProxy, database: HalfOpenProxy, timeout: int
) -> AsyncGenerator[Taken]:
    for process in (one, other):
        await asyncio.to_thread(process.ready)  # by way of the proxies of this loop
    async with stub(one.ready()["address"]) as client, stub(other.ready()["address"]) as another:
        await until_known(another, "send")
        await until_known(client, "send")
        spec = call("send", "s", folder)
        spec.timeout.FromSeconds(timeout)
        taken = Taken(one, other, await submit(client, spec), link)
        await until_started(folder, ("s", "1"))
        one.popen.send_signal(signal.SIGSTOP)
        database.holding = True
        while "took up 1 batches" not in other.err.read_text():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        yield taken


async def told_at_once(taken: Taken, folder: Path) -> None:
    open_gates(folder, "s")
    async with stub(taken.other.ready()["address"]) as client:
        assert await finished(client, taken.batch_id) == {"s": "SUCCEEDED"}
    assert UNHEARD_OF not in taken.other.err.read_text(), "it had to ask for what it should have been told"
    assert ledger(folder) == [("s", "1")]


async def test_it_does_not_get_back_what_it_asks_for(tmp_path: Path, taken: Taken) -> None:
    """Its stream is another one: it asks for what it sent on the one before."""
    await taken.link.cut()
    taken.go_on()
    await taken.until_heard()
    await told_at_once(taken, tmp_path)


async def test_nor_does_it_stop_it(tmp_path: Path, taken: Taken) -> None:
    taken.go_on()
    async with Supervisor() as tasks, stub(taken.one.ready()["address"]) as client:
        tasks.start(refusal(client.CancelBatch(pb.CancelBatchRequest(batch_id=taken.batch_id))), "cancel")
        await taken.until_heard()
        await told_at_once(taken, tmp_path)
