"""confirm: the user's next turn, which confirms what is SOFT and was shown."""

import asyncio
from typing import Annotated

import typer
from rich.text import Text

from greenlight.orchestrator.v1 import orchestrator_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client.cli import ids, options
from greenlight_client.cli.board import Board
from greenlight_client.cli.cards import card
from greenlight_client.cli.command import command
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.inputs import UsageError
from greenlight_client.cli.results import show_summary
from greenlight_client.cli.sanitise import clean
from greenlight_client.cli.terminal import Terminal
from greenlight_client.cli.watching import Watcher
from greenlight_client.client import GreenlightClient
from greenlight_client.streams import SoftConfirmStream
from greenlight_client.wire import Seconds, proposal_state_name

_YES = ("y", "yes")
_CATCH_UP = 0.01


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, panel="Decide")(confirm)


async def confirm(
    terminal: Terminal,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The session whose user's turn it is.")],
    objection: Annotated[
        list[str] | None,
        typer.Option("--object", metavar="BATCH/KEY[=TEXT]", help="Reject this one; TEXT is what the model gets."),
    ] = None,
    agent: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of these agents. Repeatable.")] = None,
    shown_through: Annotated[
        str,
        typer.Option(
            metavar="TOKEN",
            help="`watch --session ID --json` ends with it: what was proposed up to it counts as shown.",
        ),
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Everything that is pending now.")] = False,
    until: options.TurnUntilOption = "blocked",
    wait: options.WaitOption = None,
    yes: options.YesOption = False,
) -> ExitCode:
    """Play the user's next turn: show what is SOFT and pending, ask, confirm it (not what is objected to), watch it."""
    async with terminal.client() as client:
        objections = await _objections(client, objection or [])
        board: Board | None = None
        if not everything and not shown_through:
            shown_through, board = await shown(client, session)
            if not await _show_and_ask(terminal, client, session, board, yes=yes):
                terminal.say("nothing confirmed")
                return ExitCode.AWAITING_DECISION
        watcher = Watcher(terminal, client, board, told_at_end=until == "blocked")
        stream = client.soft_confirm(
            session,
            shown_through=shown_through,
            everything=everything,
            objections=objections,
            agents=agent or (),
            until=until,
            max_wait=options.duration(wait),
            on_interruption=watcher.interrupted,
        )
        confirmation = await stream.confirmed()
        say_confirmation(terminal, confirmation)
        if board is None and not confirmation.ByteSize():
            terminal.say(f"nothing is SOFT and waits in session {clean(session)}")
        return await _follow(terminal, watcher, stream, session)


async def _follow(terminal: Terminal, watcher: Watcher, stream: SoftConfirmStream, session: str) -> ExitCode:
    try:
        return show_summary(terminal, await watcher.follow(stream))
    except asyncio.CancelledError:
        terminal.say(f"detached; what was confirmed goes on: {terminal.again('watch', '--session', clean(session))}")
        raise


async def shown(client: GreenlightClient, session: str, wait: Seconds = _CATCH_UP) -> tuple[str, Board]:
    """Everything in the session up to now, and the token that says so."""
    board = Board()
    stream = client.watch_session(session, max_wait=wait)
    async with stream:
        async for event in stream:
            board.apply(event)
    return stream.session_token, board


def soft_pending(board: Board) -> list[str]:
    """Ids of what is SOFT and waits for the turn."""
    return [
        f"{model.batch_id}/{row.key}"
        for model in board.models.values()
        for row in model.rows.values()
        if row.state == proposal_pb2.PROPOSAL_STATE_PROPOSED
        and row.asked is not None
        and row.asked.tier == tool_pb2.TIER_SOFT
    ]


def say_confirmation(terminal: Terminal, confirmation: orchestrator_pb2.SoftConfirmation) -> None:
    """What became of each."""
    terminal.json("confirmation", confirmation)
    for word, style, proposal_ids in (
        ("confirmed", "green", confirmation.confirmed),
        ("objected", "magenta", confirmation.objected),
        ("expired before the turn", "red", confirmation.expired),
        ("not shown, still pending", "yellow", confirmation.not_shown),
        ("shown too long ago, needs a decision", "yellow", confirmation.window_passed),
    ):
        for proposal_id in proposal_ids:
            terminal.say(Text.assemble((word, style), f" {clean(proposal_id)}"))
    for late in confirmation.not_pending:
        word = f"too late, it is {proposal_state_name(late.state)}"
        terminal.say(Text.assemble((word, "yellow"), f" {clean(late.proposal_id)}"))


async def _show_and_ask(terminal: Terminal, client: GreenlightClient, session: str, board: Board, *, yes: bool) -> bool:
    waiting = soft_pending(board)
    if not terminal.settings.json_lines:
        for proposal_id in waiting:
            terminal.say(card(await client.get_proposal(proposal_id)))
    if not waiting:
        terminal.say(f"nothing is SOFT and waits in session {clean(session)}")
    if yes or not waiting:
        return True
    if not terminal.can_ask:
        raise UsageError("nobody is there to ask: say --yes, --all, or --shown-through TOKEN")
    answer = await terminal.ask(f"Confirm {len(waiting)} in session {clean(session)}? [y/N]")
    return answer.lower() in _YES


async def _objections(client: GreenlightClient, given: list[str]) -> dict[str, str]:
    result: dict[str, str] = {}
    for item in given:
        typed, _, message = item.partition("=")
        result[await ids.proposal_id(client, typed)] = message
    return result
