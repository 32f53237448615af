"""resolve: say what became of a call whose outcome is unknown."""

from typing import Annotated

import typer
from rich.text import Text

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli import ids, options
from greenlight_client.cli.attempts import MAY_STILL_RUN, attempt_text, known_of, may_still_run
from greenlight_client.cli.badges import failure_text
from greenlight_client.cli.cards import shown_arguments
from greenlight_client.cli.command import command
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.inputs import UsageError
from greenlight_client.cli.quoted import Folded
from greenlight_client.cli.sanitise import clean, indented_json
from greenlight_client.cli.terminal import Terminal
from greenlight_client.wire import ResolutionName, proposal_state_name

_YES = ("y", "yes")
_ANSWERS: dict[str, ResolutionName] = {"s": "succeeded", "f": "failed", "r": "run_again"}
_RESOLVABLE = (proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN, proposal_pb2.PROPOSAL_STATE_FAILED)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, panel="Steer")(resolve)


async def resolve(
    terminal: Terminal,
    proposal: options.ProposalArgument,
    succeeded: Annotated[bool, typer.Option("--succeeded", help="It had an effect.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="It had no effect. A retry sends it again.")] = False,
    run_again: Annotated[
        bool, typer.Option("--run-again", help="Send it again, though the earlier attempt may still be running.")
    ] = False,
    result: Annotated[
        str | None, typer.Option(metavar="JSON", help="With --succeeded: what it returned; without, null.")
    ] = None,
    reason: options.ReasonOption = "",
    yes: options.YesOption = False,
) -> ExitCode:
    """Say what became of a call whose outcome is unknown. Without an option it shows the call, and asks."""
    options_given: dict[ResolutionName, bool] = {"succeeded": succeeded, "failed": failed, "run_again": run_again}
    said: list[ResolutionName] = [resolution for resolution, given in options_given.items() if given]
    if len(said) > 1 or (not terminal.can_ask and not (said and reason)):
        raise UsageError(f"resolve wants {_wanted(len(said), reason)}")
    if result is not None and (failed or run_again):
        raise UsageError("--result goes with --succeeded")
    async with terminal.client() as client:
        proposal_id = await ids.proposal_id(client, proposal)
        before = await client.get_proposal(proposal_id)
        if not said or not reason:
            _show(terminal, before)
        resolution: ResolutionName | None = said[0] if said else await _what(terminal)
        if resolution == "run_again" and not yes and not await _may_do_it_twice(terminal, before):
            resolution = None
        if resolution == "succeeded" and not said and result is None:
            result = await terminal.ask("What did it return? (JSON; nothing is null)")
        reason = reason or (await terminal.ask("Who looked, and where?") if resolution else "")
        if not resolution or not reason:
            terminal.say("not resolved")
            return ExitCode.AWAITING_DECISION
        resolved = await client.resolve(proposal_id, resolution, reason, result=result or "null")
    terminal.json("proposal", resolved)
    state = proposal_state_name(resolved.state).replace("_", " ")
    terminal.result(Text(f"resolved {clean(proposal_id)} (now {state})"))
    if resolution == "run_again":
        terminal.say(f"the earlier attempt: {MAY_STILL_RUN if may_still_run(before) else 'it is over'}")
    return ExitCode.SUCCEEDED


def _show(terminal: Terminal, item: proposal_pb2.Proposal) -> None:
    state = proposal_state_name(item.state).replace("_", " ")
    if item.state not in _RESOLVABLE:
        raise UsageError(f"{item.proposal_id} is {state}: there is nothing to resolve")
    terminal.say(Text(f"{clean(item.proposal_id)}: {state}: {failure_text(item.failure)}", style="bold"))
    for attempt in item.attempts:
        terminal.say(Text(f"attempt {clean(attempt_text(attempt))}"))
    for line in known_of(item):
        terminal.say(Text(line))
    terminal.say(Text(f"{clean(item.tool)} {clean(item.version)} was sent with", style="dim"))
    terminal.say(Folded(indented_json(shown_arguments(item))))


def _wanted(said: int, reason: str) -> str:
    """What is missing, and nothing else."""
    missing = [] if said == 1 else ["one of --succeeded, --failed, --run-again"]
    missing += [] if reason else ["--reason TEXT: who looked where"]
    return ", and ".join(missing)


async def _what(terminal: Terminal) -> ResolutionName | None:
    terminal.say("What became of it? s: it had an effect; f: it had none, and a retry sends it again;")
    terminal.say("r: send it again now, though it may have had one; else: leave it")
    return _ANSWERS.get((await terminal.ask("[s/f/r]")).lower()[:1])


async def _may_do_it_twice(terminal: Terminal, item: proposal_pb2.Proposal) -> bool:
    if not terminal.can_ask:
        raise UsageError("nobody is there to ask: --run-again may do it twice; say --yes")
    if may_still_run(item):
        terminal.say(Text(MAY_STILL_RUN, style="bold"))
    question = f"{clean(item.proposal_id)} may have had its effect already. Send it again? [y/N]"
    return (await terminal.ask(question)).lower() in _YES
