"""cancel, retry, resume."""

from typing import Annotated

import grpc
import typer

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli import ids, options
from greenlight_client.cli.command import command, show_refusal
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.formats import count_text
from greenlight_client.cli.results import show_item_answers
from greenlight_client.cli.terminal import Terminal
from greenlight_client.client import GreenlightClient
from greenlight_client.wire import FINISHED_BATCH_STATES, batch_state_name

_RETRIED = (
    proposal_pb2.PROPOSAL_STATE_FAILED,
    proposal_pb2.PROPOSAL_STATE_CANCELLED,
    proposal_pb2.PROPOSAL_STATE_EXPIRED,
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for function in (cancel, retry, resume):
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
        message = f"batch {batch_id} {ended}: nothing was cancelled"
        show_refusal(terminal, grpc.StatusCode.FAILED_PRECONDITION, message)
        return ExitCode.REFUSED
    stopped = count_text(batch.counts.cancelled - before.counts.cancelled, "proposal")
    end = "the batch ended as" if batch.state in FINISHED_BATCH_STATES else "the batch is"
    terminal.result(f"cancelled {stopped} of {batch_id}; {end} {batch_state_name(batch.state)}")
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


async def resume(terminal: Terminal, batch: options.BatchArgument, reason: options.ReasonOption = "") -> ExitCode:
    """Let a batch go on: try again all that can be, and say of the rest why not."""
    async with terminal.client() as client:
        answer = await client.resume(await ids.batch_id(client, batch), reason=reason)
    terminal.json("batch", answer.batch)
    code = show_item_answers(terminal, answer.answers, "goes on:")
    if not answer.answers:
        terminal.say("nothing had ended without a result: there is nothing to try again")
    left_out = answer.resumed + answer.not_resumed - len(answer.answers)
    if left_out:
        terminal.say(f"and {left_out} more: {terminal.again('show', answer.batch.batch_id)}")
    counts = f"{answer.resumed} go on, {answer.not_resumed} stay as they are"
    terminal.say(f"batch {answer.batch.batch_id} is {batch_state_name(answer.batch.state)}: {counts}")
    if answer.resumed:
        terminal.say(f"  watch it: {terminal.again('watch', answer.batch.batch_id)}")
    return ExitCode.SUCCEEDED if answer.resumed else code


async def _say_cause(terminal: Terminal, client: GreenlightClient, skipped: str) -> None:
    """How to retry the proposal that this one, and those between, were skipped because of."""
    item = await client.get_proposal(skipped)
    while item.state == proposal_pb2.PROPOSAL_STATE_SKIPPED:
        item = await client.get_proposal(f"{item.batch_id}/{item.skipped_because}")
    if item.state in _RETRIED:
        terminal.say(f"  to try again what it was skipped for: {terminal.again('retry', item.proposal_id)}")
