"""demo: the example from nothing to its report, with services of its own that are gone afterwards."""

import asyncio
import signal
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from greenlight_client.cli.command import command
from greenlight_client.cli.commands.serving import code_of_death, show_death
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.inputs import UsageError
from greenlight_client.cli.processes import ServiceError
from greenlight_client.cli.services import Plan, Services, example_folder, first_look, running
from greenlight_client.cli.story import Story
from greenlight_client.cli.terminal import Terminal
from greenlight_client.client import GreenlightClient
from greenlight_client.errors import InvalidArgumentError

_FREE_PORT = "127.0.0.1:0"
_GRACE = 10.0


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, panel="Serve", connected=False)(demo)


async def demo(
    terminal: Terminal,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve the report without asking.")] = False,
    sequential: Annotated[bool, typer.Option("--sequential", help="Really run it one call after another.")] = False,
    ticker: Annotated[str, typer.Option(metavar="SYMBOL", help="The stock to research.")] = "AAPL",
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where note and report are written to.")
    ] = Path(".greenlight", "demo"),
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the database there, not in a temporary folder.")
    ] = None,
) -> ExitCode:
    """Run the example live: start both services, research a stock, confirm, ask, report, compare, stop both."""
    example = example_folder()
    if example is None:
        raise UsageError("the example is not here: run the demo from a checkout of the project (make demo)")
    _stop_as_by_interrupt()
    try:
        with _data_folder(data) as kept:
            plan = Plan(
                orchestrator=_FREE_PORT,
                executor=_FREE_PORT,
                data=kept,
                toolbox=str(example / "toolbox.py"),
                templates=[example],
                folder=_made(folder),
                grace=_GRACE,
            )
            async with running(plan, lambda name, line: None) as services:
                return await _against_death(services, terminal, yes=yes, sequential=sequential, ticker=ticker)
    except ServiceError as error:
        show_death(terminal, error)
        terminal.say("nothing is left running")
        return code_of_death(error)
    except asyncio.CancelledError:
        terminal.say("stopped; nothing is left running")
        raise


async def _against_death(
    services: Services, terminal: Terminal, *, yes: bool, sequential: bool, ticker: str
) -> ExitCode:
    """Tells the story; a service that dies meanwhile ends it at once, with its own last words."""
    try:
        async with asyncio.TaskGroup() as group:
            death = group.create_task(services.first_death())
            story = group.create_task(_tell(services, terminal, yes=yes, sequential=sequential, ticker=ticker))
            await asyncio.wait([death, story], return_when=asyncio.FIRST_COMPLETED)
            death.cancel()
            story.cancel()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    if not death.cancelled():
        raise death.result()
    return story.result()


async def _tell(services: Services, terminal: Terminal, *, yes: bool, sequential: bool, ticker: str) -> ExitCode:
    address = services.orchestrator_address
    await first_look(address)
    async with (
        GreenlightClient(address, principal="service:research") as agent,
        GreenlightClient(address, principal="user:you") as user,
    ):
        try:
            return await Story(terminal, agent, user, sequential=sequential, yes=yes).tell(ticker)
        except InvalidArgumentError as error:
            if error.reason != "TEMPLATE_INVALID":
                raise
            raise UsageError(f"--ticker: {error.message}") from error


@contextmanager
def _data_folder(kept: Path | None) -> Generator[Path]:
    if kept is not None:
        yield _made(kept)
        return
    with tempfile.TemporaryDirectory(prefix="greenlight-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _made(folder: Path) -> Path:
    """With its parents, each its owner's alone: what is kept there may be secret."""
    try:
        for place in (*reversed(folder.parents), folder):
            place.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
    return folder.absolute()


def _stop_as_by_interrupt() -> None:
    """SIGTERM, and a terminal that is closed, stop the services as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
