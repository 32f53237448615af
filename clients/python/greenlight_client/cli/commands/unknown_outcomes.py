"""unknown: the calls of which nobody knows what became of them."""

from typing import Annotated

import typer
from rich.text import Text

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli import ids, options
from greenlight_client.cli.attempts import attempt_text, known_of
from greenlight_client.cli.badges import failure_text
from greenlight_client.cli.command import command
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.formats import short_id
from greenlight_client.cli.sanitise import clean
from greenlight_client.cli.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, panel="Look")(unknown)


async def unknown(
    terminal: Terminal,
    session: Annotated[str, typer.Option(metavar="ID", help="Only of this session.")] = "",
    batch: Annotated[str, typer.Option(metavar="BATCH", help="Only of this batch.")] = "",
    tool: Annotated[str, typer.Option(metavar="NAME", help="Only of this tool.")] = "",
    limit: options.LimitOption = 50,
) -> ExitCode:
    """List the calls whose outcome is unknown, with what is known of each."""
    count = 0
    async with terminal.client() as client:
        listed = client.list_proposals(
            states=[proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN],
            batch_id=await ids.batch_id(client, batch) if batch else "",
            session_id=session,
            tool=tool,
            page_size=min(limit, 1000),
        )
        async for item in listed:
            count += 1
            _show(terminal, item)
            if count == limit:
                break
    if not count:
        terminal.say("of every call it is known what became of it")
    return ExitCode.SUCCEEDED


def _show(terminal: Terminal, item: proposal_pb2.Proposal) -> None:
    terminal.json("proposal", item)
    what = f"{short_id(item.batch_id)}/{clean(item.key)}"
    tool = f"{clean(item.tool)} {clean(item.version)}"
    terminal.result(Text.assemble((what, "bold"), f"  {tool}: {failure_text(item.failure)}"))
    lines = [f"attempt {clean(attempt_text(item.attempts[-1]))}"] if item.attempts else []
    for line in (*lines, *known_of(item)):
        terminal.result(Text(f"  {line}"))
    terminal.say(f"  say what became of it: {terminal.again('resolve', what)}")
