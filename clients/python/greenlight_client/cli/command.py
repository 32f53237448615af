"""What all commands share: the options of the connection, the event loop, and errors turned into exit codes."""

import asyncio
import inspect
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import grpc
import typer
from rich.text import Text

from greenlight_client.cli.exit_codes import ExitCode, of_error
from greenlight_client.cli.inputs import UsageError
from greenlight_client.cli.parameters import ParametersError
from greenlight_client.cli.sanitise import clean
from greenlight_client.cli.terminal import Settings, Terminal
from greenlight_client.client import DEFAULT_SERVER
from greenlight_client.errors import FieldViolation, GreenlightError, UnavailableError

Command = Callable[..., Coroutine[Any, Any, ExitCode]]

_PANEL = "Connection and output"
_CONNECTION = {
    "--server": ("HOST:PORT", f"The orchestrator, or A,B of several; else GREENLIGHT_SERVER, else {DEFAULT_SERVER}."),
    "--tenant": ("NAME", "The tenant; else GREENLIGHT_TENANT."),
    "--principal": ("KIND:NAME", "Who is calling, for example user:ann; else GREENLIGHT_PRINCIPAL."),
}


def connection_option(flag: str, *, envvar: str | None = None) -> Any:
    """One of the options that say whom to ask, and as whom."""
    metavar, text = _CONNECTION[flag]
    return typer.Option(flag, metavar=metavar, help=text, envvar=envvar, show_envvar=False, rich_help_panel=_PANEL)


JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.", rich_help_panel=_PANEL)]

_SHARED: dict[str, Any] = {
    "server": Annotated[str | None, connection_option("--server")],
    "tenant": Annotated[str | None, connection_option("--tenant")],
    "principal": Annotated[str | None, connection_option("--principal")],
    "json": JsonOption,
}


def command(
    app: typer.Typer, name: str | None = None, *, panel: str | None = None, connected: bool = True
) -> Callable[[Command], Command]:
    """Registers `async def f(terminal, ...) -> ExitCode`; its other parameters are the command's own.

    One that is not `connected` (it starts a server of its own) takes of the shared options --json only.
    """

    def register(function: Command) -> Command:
        app.command(name, rich_help_panel=panel)(_with_shared_options(function, connected=connected))
        return function

    return register


def _with_shared_options(function: Command, *, connected: bool) -> Callable[..., None]:
    signature = inspect.signature(function, eval_str=True)
    own = [item for item in signature.parameters.values() if item.name != "terminal"]
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=False if name == "json" else None
        )
        for name, annotation in _SHARED.items()
        if connected or name == "json"
    ]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    def invoke(**given: Any) -> None:
        # What stands before the command's name (or in the environment) holds where the command itself is told nothing.
        before: Settings = given.pop("context").obj
        server, tenant, principal = (given.pop(name, None) for name in ("server", "tenant", "principal"))
        settings = Settings(
            server=before.server if server is None else server,
            tenant=before.tenant if tenant is None else tenant,
            principal=before.principal if principal is None else principal,
            json_lines=given.pop("json") or before.json_lines,
        )
        raise typer.Exit(execute(Terminal(settings), lambda terminal: function(terminal, **given)))

    parameters = [context, *(item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in own), *shared]
    invoke.__name__ = function.__name__
    invoke.__doc__ = function.__doc__
    invoke.__annotations__ = {item.name: item.annotation for item in parameters}
    vars(invoke)["__signature__"] = inspect.Signature(parameters)
    return invoke


def execute(terminal: Terminal, work: Callable[[Terminal], Coroutine[Any, Any, ExitCode]]) -> ExitCode:
    """Runs a command in a loop of its own, and says what went wrong."""
    try:
        return asyncio.run(work(terminal))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more; what the interpreter flushes at its end must not raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.INTERRUPTED
    except ParametersError as error:
        show_error(terminal, error.refusal)
        for line in error.advice:
            terminal.say(f"  {clean(line)}")
        return ExitCode.USAGE
    except (UsageError, ValueError) as error:
        # ValueError: a tenant or principal that no request can carry.
        show_refusal(terminal, grpc.StatusCode.INVALID_ARGUMENT, f"greenlight: {error}")
        return ExitCode.USAGE
    except GreenlightError as error:
        show_error(terminal, error)
        return of_error(error)


def show_error(terminal: Terminal, error: GreenlightError) -> None:
    """The reason and the message, what is wrong where, and what to do about it."""
    terminal.json_object("error", error_object(error))
    if isinstance(error, UnavailableError) and not error.reason:
        terminal.say(Text(f"greenlight: no orchestrator answers at {terminal.settings.server}", style="red"))
        terminal.say(Text(f"  {clean(error.message, 200)}", style="dim"))
        terminal.say("  Start one with `greenlight up`, or name another with --server or GREENLIGHT_SERVER.")
        return
    say_what_is_wrong(terminal, "greenlight: ", error)
    if error.retry_after is not None:
        terminal.say(f"  Try again in {error.retry_after:.1f} s.")


def show_refusal(terminal: Terminal, code: grpc.StatusCode, message: str, *, style: str = "red") -> None:
    """What the command itself refuses, before or instead of a request."""
    terminal.json_object("error", error_object(GreenlightError(message.removeprefix("greenlight: "), code=code)))
    terminal.say(Text(clean(message), style=style))


def say_what_is_wrong(terminal: Terminal, before: str, error: GreenlightError) -> None:
    """The reason and the message, then each violation; a message that only says the first of them is not repeated."""
    lines = [_violation_line(violation) for violation in error.violations]
    kind = error.reason or error.code.name
    if not lines or not error.message.startswith(lines[0]):
        head = clean(str(error), 1000)
    elif len(lines) == 1:
        head, lines = clean(f"{kind}: {error.message}", 1000), []
    else:
        head = f"{kind}: {len(lines)} things are wrong"
    terminal.say(Text(clean(before) + (" " if before else "") + head, style="red"))
    for line in lines:
        terminal.say(Text(f"  {clean(line, 600)}"))


def _violation_line(violation: FieldViolation) -> str:
    return f"{violation.field}: {violation.description}" if violation.field else violation.description


def error_object(error: GreenlightError) -> dict[str, Any]:
    """For --json."""
    return {
        "code": error.code.name,
        "reason": error.reason,
        "message": error.message,
        "metadata": error.metadata,
        "violations": [{"field": item.field, "description": item.description} for item in error.violations],
        "retry_after": error.retry_after,
    }
