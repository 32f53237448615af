"""template check, template list, template show."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from greenlight_client.calls import template_yaml
from greenlight_client.cli import inputs, options, parameters
from greenlight_client.cli.command import command
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.formats import count_text
from greenlight_client.cli.quoted import Folded, Quoted
from greenlight_client.cli.sanitise import clean, clean_block, indented_json
from greenlight_client.cli.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Adds the group of commands."""
    group = typer.Typer(no_args_is_help=True)
    command(group, "check")(check)
    command(group, "list")(list_templates)
    command(group, "show")(show_template)
    app.add_typer(
        group, name="template", help="Check a template file; list and show templates.", rich_help_panel="Look"
    )


async def check(
    terminal: Terminal,
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The template.")],
    param: options.ParamOption = None,
) -> ExitCode:
    """Judge a template file as a submission would, and write nothing."""
    text = inputs.read_text(file)
    async with terminal.client() as client:
        source = template_yaml(text, inputs.parameters(param or []))
        with parameters.judged(param, f"{clean(str(file))} reads as a template; its calls need their parameters."):
            answer = await client.submit(source, validate_only=True)
    terminal.json("submitted", answer)
    agents = ", ".join(clean(agent.name) for agent in answer.batch.agents)
    terminal.result(
        f"{clean(str(file))} is valid: {count_text(answer.batch.counts.total, 'proposal')} of {agents or 'no agent'}"
    )
    return ExitCode.SUCCEEDED


async def list_templates(terminal: Terminal) -> ExitCode:
    """List the templates that the orchestrator has."""
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    for head in ("template", "version", "proposals", "agents"):
        table.add_column(head, no_wrap=True)
    table.add_column("description", no_wrap=True, overflow="ellipsis", ratio=1)
    found = 0
    async with terminal.client() as client:
        async for item in client.list_templates():
            found += 1
            terminal.json("template", item)
            agents = Text(clean(", ".join(item.agents), 60))
            description = Text(clean(item.description))
            name = Text(clean(item.name), style="bold")
            table.add_row(name, Text(clean(item.version)), str(item.proposals), agents, description)
    if found:
        terminal.result(table)
    else:
        terminal.say("the orchestrator has no template")
    return ExitCode.SUCCEEDED


async def show_template(
    terminal: Terminal,
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="The template.")],
) -> ExitCode:
    """Show a template's parameters and its YAML."""
    wanted, _, version = name.partition("@")
    async with terminal.client() as client:
        item = await client.get_template(wanted, version)
    terminal.json("template", item)
    terminal.result(
        Text(f"{clean(item.name)} {clean(item.version)}", style="bold"),
        Quoted(item.description),
        Text("parameters", style="dim"),
        Folded(indented_json(item.parameters_schema_json)),
        Text("yaml", style="dim"),
        Text(clean_block(item.yaml)),
    )
    return ExitCode.SUCCEEDED
