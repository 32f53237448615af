"""Both orchestrators and both executors are replaced, one after the other, under load: nothing is lost, nothing runs
twice, and no user of the client library sees an error."""

import asyncio
import itertools
import random
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight_client import EventStream, GreenlightClient, call
from tests.bench.processes import Process, free_port
from tests.support.name_server import NameServer
from tests.support.postgresql import PostgresServer, postgres_server
from tests.support.starts import executor, ledger, open_gates, orchestrator, said

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.timeout(180)]
USERS, BETWEEN, GRACE, SESSION = 3, 3, 20.0, "talk"
SUCCEEDED = batch_pb2.BATCH_STATE_SUCCEEDED


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


class Replaceable:
    """A process at an address that stays."""

    def __init__(self, address: str, start: Callable[[str], AbstractContextManager[Process]], stack: ExitStack) -> None:
        self._start, self._stack = start, stack
        self.address = address
        self.process = self._begin()

    def _begin(self) -> Process:
        return self._stack.enter_context(self._start(self.address))

    async def replace(self) -> None:
        """As a supervisor does: told to go, waited for, started anew, waited for."""
        self.process.popen.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(self.process.popen.wait, GRACE + 10) == 0, self.process.tail()
        self.process = self._begin()
        await asyncio.to_thread(said, self.process, "ready")


@asynccontextmanager
async def replaceable(folder: Path, store: str) -> AsyncIterator[tuple[list[Replaceable], list[Replaceable]]]:
    """Orchestrators, at one port of two addresses; executors."""

    def start_executor(address: str) -> AbstractContextManager[Process]:
        return executor(folder, f"executor-{address}", grace=GRACE, listen=address)

    def start_orchestrator(address: str) -> AbstractContextManager[Process]:
        known = ",".join(one.address for one in executors)
        return orchestrator(folder, f"orchestrator-{address}", known, store=store, grace=GRACE, listen=address)

    with ExitStack() as stack:
        port = free_port()
        executors = [Replaceable(f"127.0.0.1:{free_port()}", start_executor, stack) for _ in range(2)]
        orchestrators = [Replaceable(f"127.0.0.{n}:{port}", start_orchestrator, stack) for n in (1, 2)]
        for one in (*executors, *orchestrators):
            await asyncio.to_thread(said, one.process, "ready")
        yield orchestrators, executors


@asynccontextmanager
async def list_of(servers: list[Replaceable]) -> AsyncIterator[str]:
    yield ",".join(one.address for one in servers)


@asynccontextmanager
async def name_of(servers: list[Replaceable]) -> AsyncIterator[str]:
    """Behind it requests go to both in turn, whoever has the batch."""
    async with NameServer([one.address.partition(":")[0] for one in servers]) as names:
        yield f"dns://127.0.0.1:{names.port}/greenlight.test.:{servers[0].address.partition(':')[2]}"


class User:
    """An agent and its person, who know nothing of who serves them. `batches`: id -> sequences that were seen."""

    def __init__(self, client: GreenlightClient, folder: Path, name: str) -> None:
        self._client, self._folder, self._name = client, folder, name
        self._random = random.Random(name)
        self.batches: dict[str, list[int]] = {}

    async def work(self, stopped: asyncio.Event) -> None:
        for number in itertools.count():
            if stopped.is_set():
                return
            await self._batch(f"{self._name}-{number}")

    async def _batch(self, name: str) -> None:
        proposals = [self._call(tool, f"{name}-{tool}") for tool in ("read", "write", "send")]
        proposals.append(self._call("send", f"{name}-last", after=[f"{name}-send"], tier="hard"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._open(*(one.key for one in proposals)))
            stream = self._client.run(proposals, until="blocked", session=SESSION)
            seen = await self._read(stream)
            waiting = await self._client.get_proposal(f"{stream.batch_id}/{name}-last")
            await self._client.approve(waiting)
            stream = self._client.watch(stream.batch_id, resume_after=stream.sequence)
            seen += await self._read(stream)
        assert stream.summary.batch.state == SUCCEEDED, stream.summary
        assert seen == list(range(1, stream.summary.batch.sequence + 1)), "no gap, no repeat"
        self.batches[stream.batch_id] = seen

    def _call(self, tool: str, key: str, **more: object) -> proposal_pb2.ProposalSpec:
        return call(tool, {"folder": str(self._folder)}, key=key, **more)  # type: ignore[arg-type]

    async def _open(self, *keys: str) -> None:
        for key in keys:
            await asyncio.sleep(self._random.uniform(0, 0.2))
            open_gates(self._folder, key)

    async def _read(self, stream: EventStream) -> list[int]:
        return [event.sequence async for event in stream]


async def watch_all(client: GreenlightClient, seen: dict[str, list[int]]) -> None:
    """Everything that happens, over the one stream."""
    async for event in client.watch_session(SESSION):
        seen[event.batch_id].append(event.sequence)


async def until_known(client: GreenlightClient, *names: str) -> None:
    while True:
        if {*names} <= {tool.descriptor.name async for tool in client.list_tools() if tool.executors}:
            return
        await asyncio.sleep(0.01)


async def progress(users: list[User]) -> None:
    """Each of them has finished some more."""
    wanted = [len(user.batches) + BETWEEN for user in users]
    while any(len(user.batches) < count for user, count in zip(users, wanted, strict=True)):  # noqa: ASYNC110 - users
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("target", [list_of, name_of])
async def test_a_rolling_restart_of_everything_is_not_noticed(
    tmp_path: Path,
    server: PostgresServer,
    target: Callable[[list[Replaceable]], AbstractAsyncContextManager[str]],
) -> None:
    whole: dict[str, list[int]] = defaultdict(list)
    async with (
        server.database() as store,
        replaceable(tmp_path, store) as (orchestrators, executors),
        target(orchestrators) as known,
        GreenlightClient(known) as client,
    ):
        await until_known(client, "read", "write", "send")
        await client.create_session(SESSION)
        users = [User(client, tmp_path, f"u{number}") for number in range(USERS)]
        stopped = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch_all(client, whole))
            working = [tasks.create_task(user.work(stopped)) for user in users]
            for one in (*orchestrators, *executors):
                await progress(users)
                await one.replace()
            await progress(users)
            stopped.set()
            await asyncio.wait(working)
            finished = {batch_id: seen for user in users for batch_id, seen in user.batches.items()}
            while whole != finished:  # noqa: ASYNC110 - the watcher is behind
                await asyncio.sleep(0.01)
            watching.cancel()
        stored = [batch async for batch in client.list_batches(session_id=SESSION)]
        assert {batch.batch_id: (batch.state, batch.sequence) for batch in stored} == {
            batch_id: (SUCCEEDED, len(seen)) for batch_id, seen in finished.items()
        }
    sent = [key for key, _ in ledger(tmp_path) if key.endswith(("-send", "-last"))]
    assert len(sent) == len({*sent}) == 2 * len(finished), "each side effect once"
