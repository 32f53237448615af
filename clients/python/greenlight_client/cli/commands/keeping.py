"""prune."""

from typing import Annotated

import typer

from greenlight_client.cli import options
from greenlight_client.cli.command import command
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.formats import count_text
from greenlight_client.cli.terminal import Terminal

AgeOption = Annotated[
    str, typer.Option("--older-than", metavar="DURATION", help="Since a batch finished: 30d, 12h; 0 = all finished.")
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, panel="Operate")(prune)


async def prune(
    terminal: Terminal,
    older_than: AgeOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
) -> ExitCode:
    """Remove the events of batches that finished long ago. Batches, answers and decisions stay."""
    age = options.duration(older_than)
    assert age is not None
    async with terminal.client() as client:
        done = await client.prune(age, dry_run=dry_run)
    terminal.json("pruned", done)
    batches = f"{done.batches} batch{'' if done.batches == 1 else 'es'}"
    what = f"{count_text(done.events, 'event')} of {batches}"
    terminal.result(f"would go: {what}" if dry_run else f"gone: {what}")
    return ExitCode.SUCCEEDED
