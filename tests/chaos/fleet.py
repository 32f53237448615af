"""The processes of a run, each on a port of its own that it keeps, and the links between them, which can be cut."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

from tests.bench.processes import Process, environment, free_port, python, running
from tests.chaos.toolbox import LEDGER
from tests.support.proxy import CuttableProxy

WINDOW = 4.0
"""Seconds that a lost executor has to come back; longer than any stop or cut here."""


class Service:
    """One service: a process, and after each kill another one. `starts` counts them."""

    def __init__(self, name: str, port: int, command: Sequence[str], folder: Path, env: dict[str, str]) -> None:
        self.name, self.address, self.starts = name, f"127.0.0.1:{port}", 0
        self._command, self._folder, self._env = command, folder, env
        self._processes = ExitStack()
        self._process: Process

    async def start(self) -> None:
        """Returns when it serves."""
        self.starts += 1
        name = f"{self.name}-{self.starts}"
        self._process = self._processes.enter_context(running(name, self._command, self._folder / name, self._env))
        await asyncio.to_thread(self._process.ready)

    async def kill(self) -> None:
        self._process.popen.kill()
        await asyncio.to_thread(self._process.popen.wait)

    def stop(self) -> None:
        self._process.popen.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.popen.send_signal(signal.SIGCONT)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._processes.close)


class Fleet:
    """One orchestrator and one executor. Clients come to `address`, by way of `clients`."""

    def __init__(self, orchestrator: Service, executor: Service, clients: CuttableProxy, calls: CuttableProxy) -> None:
        self.orchestrator, self.executor = orchestrator, executor
        self.links = {orchestrator.name: clients, executor.name: calls}
        self.services = {service.name: service for service in (orchestrator, executor)}

    @property
    def address(self) -> str:
        return self.links["orchestrator"].address


@asynccontextmanager
async def fleet(folder: Path, ledger: Path) -> AsyncGenerator[Fleet]:
    async with AsyncExitStack() as stack:
        port = free_port()
        command = python("-m", "executor_svc", "--listen", f"127.0.0.1:{port}", "--toolbox", "tests.chaos.toolbox")
        env = environment(**{LEDGER: str(ledger), "GREENLIGHT_EXECUTOR_DATA": str(folder / "executor")})
        executor = Service("executor", port, [*command, "--drain-grace", "0"], folder, env)
        await stack.enter_async_context(executor)
        calls = await stack.enter_async_context(CuttableProxy(executor.address))
        port = free_port()
        command = python("-m", "orchestrator_svc", "--listen", f"127.0.0.1:{port}", "--executors", calls.address)
        command += ["--data", str(folder / "data"), "--drain-grace", "0"]
        env = environment(
            GREENLIGHT_REATTACH_WINDOW=str(WINDOW),
            GREENLIGHT_RETRY_ATTEMPTS="10",
            GREENLIGHT_RETRY_INITIAL_DELAY="0.2",
            GREENLIGHT_RETRY_MAX_DELAY="1",
            GREENLIGHT_RESOLVE_INTERVAL="0.2",
        )
        orchestrator = Service("orchestrator", port, command, folder, env)
        await stack.enter_async_context(orchestrator)
        clients = await stack.enter_async_context(CuttableProxy(orchestrator.address))
        yield Fleet(orchestrator, executor, clients, calls)
