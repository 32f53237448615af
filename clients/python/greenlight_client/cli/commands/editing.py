"""edit: approve with other arguments."""

from pathlib import Path
from typing import Annotated

import grpc
import typer
from google.rpc import code_pb2  # pyright: ignore[reportMissingTypeStubs]

from greenlight.orchestrator.v1 import orchestrator_pb2, proposal_pb2
from greenlight_client.cli import ids, inputs, options
from greenlight_client.cli.cards import difference, shown_arguments
from greenlight_client.cli.command import command, show_refusal
from greenlight_client.cli.commands.approving import agreed
from greenlight_client.cli.defaults import with_defaults
from greenlight_client.cli.editor import edited_text
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.inputs import UsageError
from greenlight_client.cli.quoted import Folded
from greenlight_client.cli.results import show_item_answers
from greenlight_client.cli.sanitise import indented_json
from greenlight_client.cli.terminal import Terminal
from greenlight_client.client import GreenlightClient
from greenlight_client.deciding import decision_on
from greenlight_client.wire import proposal_state_name


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, panel="Decide")(edit)


async def edit(
    terminal: Terminal,
    proposal: options.ProposalArgument,
    arguments: Annotated[
        str | None, typer.Option(metavar="JSON|@FILE", help="The new arguments; without, your editor opens.")
    ] = None,
    editor: Annotated[
        str, typer.Option(envvar=["VISUAL", "EDITOR"], metavar="COMMAND", help="The editor that opens.")
    ] = "vi",
    yes: options.YesOption = False,
) -> ExitCode:
    """Approve a proposal with other arguments. Shows the difference, and asks."""
    async with terminal.client() as client:
        item = await client.get_proposal(await ids.proposal_id(client, proposal))
        if item.state != proposal_pb2.PROPOSAL_STATE_PROPOSED:
            state = proposal_state_name(item.state).replace("_", " ")
            message = f"{item.proposal_id} is {state}: there is nothing to decide"
            show_refusal(terminal, grpc.StatusCode.FAILED_PRECONDITION, message)
            return ExitCode.REFUSED
        schema = await _schema_of(client, item)
        if arguments is not None:
            text = inputs.read_text(Path(arguments[1:])) if arguments.startswith("@") else arguments
            return await _once(terminal, client, item, schema, text, yes=yes)
        if not terminal.can_ask:
            raise UsageError("nobody is there to edit: give --arguments JSON or --arguments @FILE")
        return await _until_right(terminal, client, item, schema, editor, yes=yes)


async def _schema_of(client: GreenlightClient, item: proposal_pb2.Proposal) -> str:
    async for tool in client.list_tools(item.tool):
        if tool.descriptor.version == item.version:
            return tool.descriptor.arguments_schema_json
    return ""


async def _once(
    terminal: Terminal, client: GreenlightClient, item: proposal_pb2.Proposal, schema: str, text: str, *, yes: bool
) -> ExitCode:
    answer = await _offered(terminal, client, item, schema, text, yes=yes)
    return show_item_answers(terminal, [answer], "approved, edited:") if answer else ExitCode.AWAITING_DECISION


async def _until_right(
    terminal: Terminal, client: GreenlightClient, item: proposal_pb2.Proposal, schema: str, editor: str, *, yes: bool
) -> ExitCode:
    """What was typed is not lost where it is no JSON, or does not fit: it can be edited again."""
    text = indented_json(shown_arguments(item)) + "\n"
    while True:
        text = await edited_text(editor, text, ".json")
        try:
            answer = await _offered(terminal, client, item, schema, text, yes=yes)
            if answer is None:
                return ExitCode.AWAITING_DECISION
            code = show_item_answers(terminal, [answer], "approved, edited:")
            if answer.status.code != code_pb2.INVALID_ARGUMENT:
                return code
        except inputs.NotJsonError as error:
            code = ExitCode.USAGE
            show_refusal(terminal, grpc.StatusCode.INVALID_ARGUMENT, f"greenlight: {error}")
        if not await agreed(terminal, "Edit again? [y/N]", "nobody is there to edit"):
            terminal.say("not approved")
            return code


async def _offered(
    terminal: Terminal, client: GreenlightClient, item: proposal_pb2.Proposal, schema: str, text: str, *, yes: bool
) -> orchestrator_pb2.ProposalAnswer | None:
    """What came of it; None where nothing was sent. Raises NotJsonError."""
    text = with_defaults(text, schema)
    change = difference(shown_arguments(item), text)
    if not change.plain:
        terminal.say("nothing changed; `greenlight approve` approves it as it is")
        return None
    terminal.say(Folded(change))
    if not yes and not await agreed(terminal, "Approve with these arguments? [y/N]", "say --yes"):
        terminal.say("not approved")
        return None
    decision = decision_on(item, proposal_pb2.VERDICT_APPROVE)
    decision.edited_arguments_json = text
    return (await client.decide([decision]))[0]
