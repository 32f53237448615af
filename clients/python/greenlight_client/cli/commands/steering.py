"""cancel, retry, resolve."""

from typing import Annotated

import typer
from rich.text import Text

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli import ids, options
from greenlight_client.cli.command import command
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.inputs import UsageError
from greenlight_client.cli.results import show_item_answers
from greenlight_client.cli.sanitise import clean
from greenlight_client.cli.terminal import Terminal
from greenlight_client.client import GreenlightClient
from greenlight_client.wire import FINISHED_BATCH_STATES, batch_state_name, proposal_state_name

_YES = ("y", "yes")
_RETRIED = (
    proposal_pb2.PROPOSAL_STATE_FAILED,
    proposal_pb2.PROPOSAL_STATE_CANCELLED,
    proposal_pb2.PROPOSAL_STATE_EXPIRED,
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for function in (cancel, retry, resolve):
        command(app, panel="Steer")(function)


async def cancel(terminal: Terminal, thing: options.ThingArgument, reason: options.ReasonOption = "") -> ExitCode:
    """Cancel a batch, or one proposal of it. Running calls are stopped."""
    async with terminal.client() as client:
        if "/" in thing:
            answers = await client.cancel_proposals([await ids.proposal_id(client, thing)], reason)
            return show_item_answers(terminal, answers, "cancelled")
        batch_id = await ids.batch_id(client, thing)
        before = (await client.get_batch(batch_id)).batch
        batch = before if before.state in FINISHED_BATCH_STATES else await client.cancel(batch_id, reason)
    terminal.json("batch", batch)
    if batch is before:
        ended = f"had already ended as {batch_state_name(batch.state)}"
        terminal.say(Text(f"batch {batch_id} {ended}: nothing was cancelled", style="red"))
        return ExitCode.REFUSED
    terminal.result(f"batch {batch_id} is {batch_state_name(batch.state)}")
    return ExitCode.SUCCEEDED


async def retry(
    terminal: Terminal,
    thing: options.ThingArgument,
    agent: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of these agents. Repeatable.")] = None,
    reason: options.ReasonOption = "",
) -> ExitCode:
    """Try again what failed, expired or was cancelled, and what was skipped because of it."""
    async with terminal.client() as client:
        if "/" in thing:
            answers = await client.retry_proposals([await ids.proposal_id(client, thing)], reason)
        else:
            batch_id = await ids.batch_id(client, thing)
            answers = await client.retry(batch_id, agents=agent or (), reason=reason)
        if not answers:
            terminal.say("there is nothing to try again")
        code = show_item_answers(terminal, answers, "tried again")
        for answer in answers:
            if answer.status.code and answer.state == proposal_pb2.PROPOSAL_STATE_SKIPPED:
                await _say_cause(terminal, client, answer.proposal_id)
        return code


async def _say_cause(terminal: Terminal, client: GreenlightClient, skipped: str) -> None:
    """How to retry the proposal that this one, and those between, were skipped because of."""
    item = await client.get_proposal(skipped)
    while item.state == proposal_pb2.PROPOSAL_STATE_SKIPPED:
        item = await client.get_proposal(f"{item.batch_id}/{item.skipped_because}")
    if item.state in _RETRIED:
        terminal.say(f"  to try again what it was skipped for: {terminal.again('retry', item.proposal_id)}")


async def resolve(
    terminal: Terminal,
    proposal: options.ProposalArgument,
    succeeded: Annotated[bool, typer.Option("--succeeded", help="It happened.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="It did not happen, or not as wanted; it is over.")] = False,
    run_again: Annotated[
        bool, typer.Option("--run-again", help="Send it again, though the earlier attempt may still be running.")
    ] = False,
    result: Annotated[str, typer.Option(metavar="JSON", help="With --succeeded: what it returned.")] = "null",
    reason: options.ReasonOption = "",
    yes: options.YesOption = False,
) -> ExitCode:
    """Say what became of a call whose outcome is unknown."""
    if [succeeded, failed, run_again].count(True) != 1:
        raise UsageError("resolve wants one of --succeeded, --failed, --run-again")
    if not reason:
        raise UsageError("resolve wants --reason: who looked where")
    async with terminal.client() as client:
        proposal_id = await ids.proposal_id(client, proposal)
        if run_again and not yes:
            question = f"{clean(proposal_id)} may have had its effect already. Send it again? [y/N]"
            if not terminal.can_ask:
                raise UsageError("nobody is there to ask: --run-again may do it twice; say --yes")
            if (await terminal.ask(question)).lower() not in _YES:
                terminal.say("not resolved")
                return ExitCode.AWAITING_DECISION
        resolution = "succeeded" if succeeded else "failed" if failed else "run_again"
        resolved = await client.resolve(proposal_id, resolution, reason, result=result)
    terminal.json("proposal", resolved)
    state = proposal_state_name(resolved.state).replace("_", " ")
    terminal.result(Text(f"resolved {clean(proposal_id)} (now {state})"))
    return ExitCode.SUCCEEDED
