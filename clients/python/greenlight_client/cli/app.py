"""The command's tree: which module brings which commands."""

from importlib import metadata
from typing import Annotated

import typer

from greenlight_client.cli.command import JsonOption, connection_option
from greenlight_client.cli.commands import (
    approving,
    confirming,
    demonstrating,
    editing,
    keeping,
    looking,
    resolving,
    running,
    serving,
    showing,
    steering,
    templates,
    tracing,
    unknown_outcomes,
)
from greenlight_client.cli.terminal import Settings
from greenlight_client.client import DEFAULT_SERVER

_MODULES = (
    running,
    approving,
    editing,
    confirming,
    steering,
    resolving,
    looking,
    unknown_outcomes,
    showing,
    templates,
    tracing,
    keeping,
    serving,
    demonstrating,
)
_HELP = "Propose tool calls, watch them run together, and give them the green light."


def main() -> None:
    """The entry point."""
    build()()


def build() -> typer.Typer:
    """The whole application."""
    app = typer.Typer(
        name="greenlight",
        help=_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for module in _MODULES:
        module.register(app)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"greenlight {metadata.version('greenlight-client')}")
        raise typer.Exit


def _root(
    context: typer.Context,
    server: Annotated[str | None, connection_option("--server", envvar="GREENLIGHT_SERVER")] = None,
    tenant: Annotated[str | None, connection_option("--tenant", envvar="GREENLIGHT_TENANT")] = None,
    principal: Annotated[str | None, connection_option("--principal", envvar="GREENLIGHT_PRINCIPAL")] = None,
    json: JsonOption = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    context.obj = Settings(DEFAULT_SERVER if server is None else server, tenant, principal, json)
