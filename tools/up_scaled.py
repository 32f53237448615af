"""`make up-scaled`: two orchestrators on one PostgreSQL, two executors with a journal each, on this machine.

Starts all of it on free ports, starts anew what ends by itself, and stops everything with Ctrl-C. Nothing stays behind
but the data folder.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from scaled_postgresql import Postgres, PostgresError

from greenlight_client.cli.processes import Child, ServiceError, python

ROOT = Path(__file__).resolve().parents[1]
_GRACE = 35.0
_PAUSE = 1.0
_EXAMPLE = ROOT / "examples" / "research_stock"


class Service:
    """One of them, at an address that it keeps: whenever it ends by itself, it is started again."""

    def __init__(self, name: str, address: str, command: Sequence[str], store: str = "") -> None:
        self.name, self.address = name, address
        self._command = [*command, "--listen", address]
        self._environment = {**os.environ, "GREENLIGHT_STORE": store}
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    async def start(self, *, waits: bool = True) -> None:
        """Until it is ready, unless it `waits` not. Raises ServiceError."""
        self._child = await Child.start(
            self.name, self._command, on_line=_show, folder=ROOT, environment=self._environment
        )
        if waits:
            await self._child.wait_ready()

    async def keep(self) -> None:
        """Never returns."""
        assert self._child is not None
        while True:
            _show(self.name, f"{await self._child.death()}; it is started again")
            await asyncio.sleep(_PAUSE)
            await self.start(waits=False)
            _show(self.name, f"started again, pid {self.pid}")

    async def stop(self, grace: float) -> None:
        """Drains it, for so many seconds."""
        if self._child is not None:
            await self._child.stop(grace)

    def described(self) -> dict[str, Any]:
        return {"name": self.name, "address": self.address, "pid": self.pid}


class Scaled:
    """All of it."""

    def __init__(self, data: Path, toolbox: str, templates: Sequence[str]) -> None:
        self._data, self._toolbox, self._templates = data, toolbox, templates
        self.postgres = Postgres(data / "postgresql", _free_port())
        self.executors: list[Service] = []
        self.orchestrators: list[Service] = []

    async def start(self) -> None:
        """Raises PostgresError, ServiceError."""
        await self.postgres.start()
        for number in (1, 2):
            service = self._executor(f"executor-{number}")
            self.executors.append(service)
            await service.start()
        for number in (1, 2):
            service = self._orchestrator(f"orchestrator-{number}")
            self.orchestrators.append(service)
            await service.start()

    async def stop(self) -> None:
        """The orchestrators first, whose calls still run on the executors; the database last. Cancelled: at once."""
        cancelled: asyncio.CancelledError | None = None
        for services in (self.orchestrators, self.executors):
            try:
                async with asyncio.TaskGroup() as tasks:
                    for service in services:
                        tasks.create_task(service.stop(0.0 if cancelled else _GRACE))
            except asyncio.CancelledError as error:
                cancelled = error
        await self.postgres.stop()
        if cancelled is not None:
            raise cancelled

    def described(self) -> dict[str, Any]:
        return {
            "event": "ready",
            "server": ",".join(service.address for service in self.orchestrators),
            "orchestrators": [service.described() for service in self.orchestrators],
            "executors": [service.described() for service in self.executors],
            "postgresql": {"address": f"127.0.0.1:{self.postgres.port}", "pid": self.postgres.pid},
            "data": str(self._data),
        }

    def _executor(self, name: str) -> Service:
        command = python("executor_svc", "--toolbox", self._toolbox, "--data", str(self._data / name))
        return Service(name, f"127.0.0.1:{_free_port()}", command)

    def _orchestrator(self, name: str) -> Service:
        executors = ",".join(service.address for service in self.executors)
        command = python("orchestrator_svc", "--executors", executors)
        for folder in self._templates:
            command += ["--templates", folder]
        return Service(name, f"127.0.0.1:{_free_port()}", command, self.postgres.store)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _show(name: str, line: str) -> None:
    print(f"{name:<15}{line}", file=sys.stderr, flush=True)


@asynccontextmanager
async def _running(scaled: Scaled) -> AsyncGenerator[None]:
    try:
        await scaled.start()
        yield
    finally:
        task = asyncio.current_task()
        assert task is not None
        _at_signals(task.cancel)
        _show("up-scaled", "draining; Ctrl-C again stops at once")
        await scaled.stop()
        _show("up-scaled", "everything has stopped")


def _at_signals(handler: Callable[[], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, handler)


async def _run(scaled: Scaled) -> None:
    """Until it is told to stop. Raises PostgresError, ServiceError."""
    stopped = asyncio.Event()
    _at_signals(stopped.set)
    async with _running(scaled):
        _say_ready(scaled)
        async with asyncio.TaskGroup() as tasks:
            kept = [tasks.create_task(service.keep()) for service in (*scaled.executors, *scaled.orchestrators)]
            lost = tasks.create_task(scaled.postgres.ended())
            told = tasks.create_task(stopped.wait())
            await asyncio.wait([lost, told], return_when=asyncio.FIRST_COMPLETED)
            error = lost.result() if lost.done() else None
            for task in (*kept, lost, told):
                task.cancel()
        if error is not None:
            raise error


def _say_ready(scaled: Scaled) -> None:
    """One line of JSON for machines, the rest for people."""
    described = scaled.described()
    print(json.dumps(described, separators=(",", ":")), flush=True)
    for service in (*described["orchestrators"], *described["executors"]):
        _show("up-scaled", f"{service['name']}  {service['address']}  pid {service['pid']}")
    _show("up-scaled", f"try    export GREENLIGHT_SERVER={described['server']}")
    _show("up-scaled", "then   greenlight status, greenlight run research_stock; kill -9 whichever you like")
    _show("up-scaled", "Identity is off: whoever reaches these ports may do everything. Ctrl-C stops it all.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".greenlight-scaled"), help="where everything is kept")
    parser.add_argument("--toolbox", default="", help="module or .py file with your tools; none: the example's")
    given = parser.parse_args()
    templates = [] if given.toolbox else [str(_EXAMPLE)]
    toolbox = given.toolbox or str(_EXAMPLE / "toolbox.py")
    try:
        asyncio.run(_run(Scaled(given.data.absolute(), toolbox, templates)))
    except PostgresError as error:
        _show("up-scaled", str(error))
        return 1
    except ServiceError as error:
        _show("up-scaled", "\n".join([str(error), *error.lines]))
        return 1
    except asyncio.CancelledError:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
