"""The service pair as children of the command: started in order, watched, stopped in order."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from greenlight.orchestrator.v1 import orchestrator_pb2
from greenlight_client.cli.inputs import UsageError
from greenlight_client.cli.processes import Child, OnLine, ServiceError, python
from greenlight_client.client import GreenlightClient
from greenlight_client.errors import GreenlightError

_MODULES = ("orchestrator_svc", "executor_svc")
_CONNECTED_WITHIN = 15.0
_EXAMPLE = Path("examples", "research_stock")


@dataclass(frozen=True, slots=True)
class Plan:
    """How to start them. Port 0 takes a free one; `data` is the orchestrator's folder, the executor's lies in it;
    `folder` is the working folder of both (None = the current one)."""

    orchestrator: str
    executor: str
    data: Path
    toolbox: str
    templates: Sequence[Path] = ()
    reload: bool = False
    folder: Path | None = None
    grace: float = 35.0


@dataclass(frozen=True, slots=True)
class Services:
    """Both are ready; the addresses have the real ports."""

    orchestrator: Child
    executor: Child
    orchestrator_address: str
    executor_address: str

    async def first_death(self) -> ServiceError:
        """Waits until one of them ends by itself."""
        children = (self.orchestrator, self.executor)
        await asyncio.wait([child.exited for child in children], return_when=asyncio.FIRST_COMPLETED)
        return await next(child for child in children if child.exited.done()).death()


@dataclass(frozen=True, slots=True)
class FirstLook:
    """`tools` can be called; `conflicting` (`name@version`) cannot, being described differently than on record."""

    info: orchestrator_pb2.GetServerInfoResponse | None = None
    tools: int = 0
    conflicting: Sequence[str] = ()


@asynccontextmanager
async def running(plan: Plan, on_line: OnLine) -> AsyncGenerator[Services]:
    """Starts the executor, then the orchestrator; stops them in the other order, whatever happens.

    Raises UsageError where the services are not installed, ServiceError where one does not start.
    """
    missing = [name for name in _MODULES if find_spec(name) is None]
    if missing:
        raise UsageError("the services are not installed here: pip install greenlight-svc")
    started: list[Child] = []
    try:
        executor = await Child.start("executor", _executor_command(plan), on_line=on_line, folder=plan.folder)
        started.append(executor)
        executor_address = str((await executor.wait_ready())["address"])
        command = _orchestrator_command(plan, executor_address)
        orchestrator = await Child.start("orchestrator", command, on_line=on_line, folder=plan.folder)
        started.append(orchestrator)
        address = str((await orchestrator.wait_ready())["address"])
        yield Services(orchestrator, executor, address, executor_address)
    finally:
        await _stop(started[::-1], plan.grace)


async def _stop(children: Sequence[Child], grace: float) -> None:
    """One after another; once cancelled (a second Ctrl-C), the rest gets no time any more."""
    cancelled: asyncio.CancelledError | None = None
    for child in children:
        try:
            await child.stop(0.0 if cancelled else grace)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def first_look(address: str) -> FirstLook:
    """What the orchestrator says of itself and of its executor, once it has found it; nothing where it does not."""
    with suppress(GreenlightError, TimeoutError):
        async with GreenlightClient(address, retry_for=5.0) as client, asyncio.timeout(_CONNECTED_WITHIN):
            while True:
                found = [executor async for executor in client.list_executors() if executor.connected]
                tools = {name for executor in found for name in executor.tools}
                conflicting = {name for executor in found for name in executor.conflicting_tools}
                if tools or conflicting:
                    return FirstLook(await client.server_info(), len(tools), sorted(conflicting))
                await asyncio.sleep(0.05)
    return FirstLook()


def example_folder() -> Path | None:
    """The example of the checkout that this command belongs to, or of the current folder."""
    for root in (Path(__file__).resolve().parents[4], Path.cwd()):
        if (root / _EXAMPLE / "toolbox.py").is_file():
            return root / _EXAMPLE
    return None


def _executor_command(plan: Plan) -> list[str]:
    command = python("executor_svc", "--listen", plan.executor, "--toolbox", plan.toolbox)
    command += ["--data", str(plan.data / "executor")]
    return [*command, "--reload"] if plan.reload else command


def _orchestrator_command(plan: Plan, executor_address: str) -> list[str]:
    command = python("orchestrator_svc", "--listen", plan.orchestrator, "--executors", executor_address)
    command += ["--data", str(plan.data)]
    for folder in plan.templates:
        command += ["--templates", str(folder)]
    return command
