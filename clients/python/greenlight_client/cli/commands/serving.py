"""up: both services in the foreground."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from greenlight_client.cli.command import command
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.inputs import UsageError
from greenlight_client.cli.processes import ServiceError
from greenlight_client.cli.sanitise import clean, clean_line
from greenlight_client.cli.services import Plan, Services, example_folder, first_look, running
from greenlight_client.cli.terminal import Terminal

_SERVICE = "greenlight.orchestrator.v1.OrchestratorService"
_OTHER_DRAINS = "the other one drains; Ctrl-C stops it at once"
_TAKEN = "cannot listen on"
_LONGEST_LINE = 2000
_STYLES = {"orchestrator": "cyan", "executor": "magenta"}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, panel="Serve", connected=False)(up)


async def up(
    terminal: Terminal,
    orchestrator: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the orchestrator listens; port 0 takes a free one.")
    ] = "127.0.0.1:50051",
    executor: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the executor listens; port 0 takes a free one.")
    ] = "127.0.0.1:50052",
    data: Annotated[Path, typer.Option(metavar="DIR", help="Where everything is kept.")] = Path(".greenlight"),
    toolbox: Annotated[
        str, typer.Option(metavar="MODULE|FILE.py", help="Your tools; without it, those of the example.")
    ] = "",
    templates: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A folder of template files. Repeatable.")
    ] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Load the tools anew when their files change.")] = False,
) -> ExitCode:
    """Run orchestrator and executor here, until Ctrl-C, which drains both."""
    plan = _plan(orchestrator, executor, data, toolbox, templates or [], reload=reload)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    death: ServiceError | None = None
    try:
        async with running(plan, lambda name, line: _show_line(terminal, name, line)) as services:
            await _say_ready(terminal, plan, services)
            death = await _death_before(stop, services)
            if death is not None:
                show_death(terminal, death)
            terminal.say("draining; Ctrl-C again stops at once" if death is None else _OTHER_DRAINS)
            _let_next_interrupt_cancel(loop)
    except ServiceError as error:
        show_death(terminal, error)
        death = error
    except asyncio.CancelledError:
        terminal.say("stopped at once; nothing is left running")
        raise
    terminal.say("both services have stopped" if death is None else "nothing is left running")
    return ExitCode.SUCCEEDED if death is None else code_of_death(death)


async def _death_before(stop: asyncio.Event, services: Services) -> ServiceError | None:
    """Of a service that ends by itself before `stop`."""
    async with asyncio.TaskGroup() as group:
        death = group.create_task(services.first_death())
        stopped = group.create_task(stop.wait())
        await asyncio.wait([death, stopped], return_when=asyncio.FIRST_COMPLETED)
        death.cancel()
        stopped.cancel()
    return None if death.cancelled() else death.result()


def show_death(terminal: Terminal, error: ServiceError) -> None:
    """Says which service ended and why, in its own last words."""
    terminal.json_object("error", {"message": str(error), "lines": error.lines})
    terminal.say(Text(f"greenlight: {clean(str(error))}", style="red"))
    if error.lines:
        terminal.say("its last lines:")
    for line in error.lines:
        terminal.say(Text(f"  {clean_line(line, _LONGEST_LINE)}", style="dim"))
    if any(_TAKEN in line for line in error.lines):
        terminal.say("--orchestrator and --executor name other addresses; port 0 takes a free one.")


def code_of_death(error: ServiceError) -> ExitCode:
    """What a service would not start with is the command line's fault."""
    return ExitCode.USAGE if error.refused else ExitCode.INTERNAL


def _plan(orchestrator: str, executor: str, data: Path, toolbox: str, templates: list[Path], *, reload: bool) -> Plan:
    for name, address in (("--orchestrator", orchestrator), ("--executor", executor)):
        _, separator, port = address.rpartition(":")
        if not separator or not port.isdigit():
            raise UsageError(f"{name} wants HOST:PORT, not {address!r}")
    if not toolbox:
        example = example_folder()
        if example is None:
            raise UsageError("there is no example here: name your tools, --toolbox MODULE or --toolbox FILE.py")
        toolbox = str(example / "toolbox.py")
        templates = [example, *templates]
    return Plan(orchestrator, executor, data, toolbox, templates, reload)


async def _say_ready(terminal: Terminal, plan: Plan, services: Services) -> None:
    look = await first_look(services.orchestrator_address)
    self_approval = look.info is not None and look.info.self_approval
    terminal.json_object(
        "ready",
        {
            "orchestrator": services.orchestrator_address,
            "executor": services.executor_address,
            "data": str(plan.data),
            "toolbox": plan.toolbox,
            "tools": look.tools,
            "self_approval": self_approval,
        },
    )
    terminal.result(
        Text("Greenlight is up", style="bold green"),
        f"  orchestrator  {services.orchestrator_address}",
        f"  executor      {services.executor_address}",
        f"  tools         {look.tools} from {plan.toolbox}",
        f"  data          {plan.data}",
        f"  try           grpcurl -plaintext {services.orchestrator_address} {_SERVICE}/ListTools",
    )
    if look.conflicting:
        names = clean(", ".join(look.conflicting))
        terminal.say(
            Text(f"Not used, for it was described differently before: {names}. Give it another version.", style="red")
        )
    warning = "Identity is off: whoever reaches these ports may do everything, as any principal."
    if self_approval:
        warning += " self_approval is on: a proposer may approve its own HARD proposals."
    terminal.say(Text(warning, style="bold yellow"))
    terminal.say("Ctrl-C drains and stops both.")


def _show_line(terminal: Terminal, name: str, line: str) -> None:
    terminal.say(Text.assemble((f"{name:<12} ", _STYLES.get(name, "")), clean_line(line, _LONGEST_LINE)))


def _let_next_interrupt_cancel(loop: asyncio.AbstractEventLoop) -> None:
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
