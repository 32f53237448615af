"""A user of the client library, who knows of both orchestrators, sees nothing of one that drains or dies."""

import asyncio
import itertools
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import batch_pb2
from greenlight_client import GreenlightClient, call
from tests.bench.processes import Process, free_port
from tests.e2e.pair import GREENLIGHT, environment
from tests.support.starts import executor, open_gates, orchestrator, said

pytestmark = pytest.mark.slow


def _proposal(folder: Path, tool: str, key: str):
    return call(tool, {"folder": str(folder)}, key=key)


class _Servers:
    """Two orchestrators on one file, at addresses that stay: one is active, the other one stands by."""

    def __init__(self, folder: Path, executors: str, stack: AsyncExitStack) -> None:
        self._folder, self._executors, self._stack = folder, executors, stack
        self._numbers = itertools.count(1)
        self._listens = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.names = ",".join(self._listens)
        self.processes = [self._start(listen) for listen in self._listens]

    def _start(self, listen: str) -> Process:
        name = f"orchestrator-{next(self._numbers)}"
        started = orchestrator(self._folder, name, self._executors, standby=True, listen=listen)
        return self._stack.enter_context(started)

    async def replace_active(self, end: Callable[[Process], None]) -> None:
        """Ends the one that serves, and starts another in its place once the other one has taken over."""
        (number,) = [n for n, process in enumerate(self.processes) if '"ready"' in process.out.read_text()]
        old = self.processes[number]
        end(old)
        await asyncio.to_thread(old.popen.wait)
        await asyncio.to_thread(said, self.processes[1 - number], "ready")
        self.processes[number] = self._start(self._listens[number])
        await asyncio.to_thread(said, self.processes[number], "standby")


@asynccontextmanager
async def _servers(folder: Path) -> AsyncIterator[_Servers]:
    async with AsyncExitStack() as stack:
        tools = stack.enter_context(executor(folder))
        servers = _Servers(folder, tools.ready()["address"], stack)
        yield servers


async def _until_known(client: GreenlightClient, *names: str) -> None:
    while True:
        if {*names} <= {tool.descriptor.name async for tool in client.list_tools() if tool.executors}:
            return
        await asyncio.sleep(0.01)


def _kill(process: Process) -> None:
    process.popen.send_signal(signal.SIGKILL)


def _drain(process: Process) -> None:
    process.popen.send_signal(signal.SIGTERM)


class _User:
    """Does what an agent does, without a thought for who serves it."""

    def __init__(self, client: GreenlightClient, folder: Path) -> None:
        self._client, self._folder = client, folder
        self.finished = 0

    async def work(self, stopped: asyncio.Event) -> None:
        for number in itertools.count():
            if stopped.is_set():
                return
            open_gates(self._folder, f"w{number}", f"s{number}")
            calls = [_proposal(self._folder, "write", f"w{number}"), _proposal(self._folder, "send", f"s{number}")]
            stream = self._client.run(calls)
            sequences = [event.sequence async for event in stream]
            assert sequences == list(range(1, stream.summary.batch.sequence + 1))
            assert stream.summary.batch.state == batch_pb2.BATCH_STATE_SUCCEEDED
            assert (await self._client.get_batch(stream.batch_id)).batch.state == batch_pb2.BATCH_STATE_SUCCEEDED
            self.finished += 1


@pytest.mark.parametrize("end", [_drain, _kill])
async def test_no_error_no_gap_no_repeat(tmp_path: Path, end: Callable[[Process], None]) -> None:
    async with _servers(tmp_path) as servers, GreenlightClient(servers.names) as client:
        await _until_known(client, "write", "send")
        held = client.run([_proposal(tmp_path, "write", "held")])
        user, stopped, sequences = _User(client, tmp_path), asyncio.Event(), list[int]()

        async def watch() -> None:
            sequences.extend([event.sequence async for event in held])

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch())
            tasks.create_task(user.work(stopped))
            for _ in range(2):
                await servers.replace_active(end)
                before = user.finished
                while user.finished < before + 3:  # noqa: ASYNC110 - a client
                    await asyncio.sleep(0.01)
            open_gates(tmp_path, "held")
            stopped.set()
        assert sequences == list(range(1, held.summary.batch.sequence + 1))
        assert held.summary.batch.state == batch_pb2.BATCH_STATE_SUCCEEDED
    ledger = (tmp_path / "ledger").read_text().split()
    sent = [word for word in ledger if word[0] == "s" and word[1:].isdigit()]
    assert len(sent) == len({*sent}), "no side effect twice"


def _greenlight(folder: Path, servers: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    env = environment(GREENLIGHT_SERVER=servers)
    return subprocess.run(
        [*GREENLIGHT, *words], input=stdin, capture_output=True, text=True, timeout=45, cwd=folder, env=env
    )


async def test_the_command_too(tmp_path: Path) -> None:
    async with _servers(tmp_path) as servers, GreenlightClient(servers.names) as client:
        await _until_known(client, "write")
        proposals = json.dumps([{"key": "a", "tool": "write", "arguments": {"folder": str(tmp_path)}}])
        submitted = await asyncio.to_thread(_greenlight, tmp_path, servers.names, "submit", "-", stdin=proposals)
        assert submitted.returncode == 0, submitted.stderr
        batch_id = submitted.stdout.strip()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(asyncio.to_thread(_greenlight, tmp_path, servers.names, "watch", batch_id))
            await servers.replace_active(_drain)
            await servers.replace_active(_kill)
            open_gates(tmp_path, "a")
        assert watching.result().returncode == 0, watching.result().stderr
        status = await asyncio.to_thread(_greenlight, tmp_path, servers.names, "status")
        assert status.returncode == 0, status.stderr
