"""pending, approve, reject."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from greenlight.orchestrator.v1 import orchestrator_pb2, proposal_pb2
from greenlight_client.cli import ids, options
from greenlight_client.cli.badges import failure_text
from greenlight_client.cli.cards import card, shown_arguments
from greenlight_client.cli.clock import now
from greenlight_client.cli.command import command
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.formats import moment, short_id, wait_text
from greenlight_client.cli.inputs import UsageError
from greenlight_client.cli.results import show_item_answers
from greenlight_client.cli.sanitise import clean, json_line
from greenlight_client.cli.tables import listing, shrinkable
from greenlight_client.cli.terminal import Terminal
from greenlight_client.client import GreenlightClient
from greenlight_client.deciding import decision_on
from greenlight_client.wire import TIERS, TierName, tier_name

_YES = ("y", "yes")
_UNASKED = "name the digest that was seen (--digest), or say --yes"
DigestOption = Annotated[
    str, typer.Option(metavar="sha256:...", help="The digest that you saw; then nothing is asked.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for function in (pending, approve, reject):
        command(app, panel="Decide")(function)


async def pending(
    terminal: Terminal,
    session: Annotated[str, typer.Option(metavar="ID", help="Only of this session.")] = "",
    batch: Annotated[str, typer.Option(metavar="BATCH", help="Only of this batch.")] = "",
    agent: Annotated[str, typer.Option(metavar="NAME", help="Only of this agent.")] = "",
    tool: Annotated[str, typer.Option(metavar="NAME", help="Only of this tool.")] = "",
    tier: Annotated[TierName | None, typer.Option(help="Only of this tier.")] = None,
    limit: options.LimitOption = 50,
) -> ExitCode:
    """List what waits for a person: decisions, soonest to expire first, and calls whose outcome is unknown."""
    async with terminal.client() as client:
        batch_id = await ids.batch_id(client, batch) if batch else ""
        found: list[list[proposal_pb2.Proposal]] = []
        for states in ((), (proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN,)):
            listed = client.list_proposals(
                states=states,
                batch_id=batch_id,
                session_id=session,
                agent=agent,
                tool=tool,
                tiers=[TIERS[tier]] if tier else (),
            )
            found.append(await _first(listed, limit))
    waiting, unknown = found[0], [item for item in found[1] if not item.HasField("finish_time")]
    for item in (*waiting, *unknown):
        terminal.json("proposal", item)
    if waiting:
        terminal.result(_pending_table(waiting))
        terminal.say(f"{len(waiting)} waiting; `greenlight approve PROPOSAL` shows one and asks")
    for item in unknown:
        what = f"{short_id(item.batch_id)}/{clean(item.key)}"
        terminal.result(Text.assemble((what, "bold"), "  outcome unknown: ", failure_text(item.failure)))
        terminal.say(f"  say what became of it: {terminal.again('resolve', what)}")
    if not waiting and not unknown:
        terminal.say("nothing waits")
    return ExitCode.SUCCEEDED


async def approve(
    terminal: Terminal,
    proposals: options.ProposalsArgument,
    digest: DigestOption = "",
    accept_unbound: Annotated[
        bool, typer.Option(help="Decide now, whatever the references will be filled with (HARD tier).")
    ] = False,
    yes: options.YesOption = False,
) -> ExitCode:
    """Show what would run, ask, and approve exactly that."""
    if digest and len(proposals) > 1:
        raise UsageError("--digest goes with one proposal")
    decisions: list[orchestrator_pb2.Decision] = []
    async with terminal.client() as client:
        for typed in proposals:
            proposal = await shown(terminal, client, typed)
            if not digest and not yes and not await agreed(terminal, "Approve exactly this? [y/N]", _UNASKED):
                terminal.say("not approved")
                continue
            decision = decision_on(proposal, proposal_pb2.VERDICT_APPROVE, digest)
            decision.accept_unbound = accept_unbound
            decisions.append(decision)
        if not decisions:
            return ExitCode.AWAITING_DECISION
        return show_item_answers(terminal, await client.decide(decisions), "approved")


async def reject(
    terminal: Terminal,
    proposals: options.ProposalsArgument,
    message: Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="What the model gets.")] = "",
) -> ExitCode:
    """Reject proposals. A rejected proposal is never tried again."""
    async with terminal.client() as client:
        decisions: list[orchestrator_pb2.Decision] = []
        for typed in proposals:
            decision = decision_on(await ids.proposal_id(client, typed), proposal_pb2.VERDICT_REJECT)
            decision.message = message
            decisions.append(decision)
        return show_item_answers(terminal, await client.decide(decisions), "rejected")


async def shown(terminal: Terminal, client: GreenlightClient, typed: str) -> proposal_pb2.Proposal:
    """The proposal, after it was shown."""
    proposal = await client.get_proposal(await ids.proposal_id(client, typed))
    if not terminal.settings.json_lines:
        terminal.say(card(proposal))
    return proposal


async def agreed(terminal: Terminal, question: str, otherwise: str) -> bool:
    """The person says yes. Raises UsageError where nobody is there; `otherwise` is what to do then."""
    if not terminal.can_ask:
        raise UsageError(f"nobody is there to ask: {otherwise}")
    return (await terminal.ask(question)).lower() in _YES


async def _first(listed: AsyncIterator[proposal_pb2.Proposal], limit: int) -> list[proposal_pb2.Proposal]:
    found: list[proposal_pb2.Proposal] = []
    async for item in listed:
        found.append(item)
        if len(found) == limit:
            break
    return found


def _pending_table(items: Sequence[proposal_pb2.Proposal]) -> Table:
    table = listing("proposal", "tier", "tool", "agent", "expires in", shrinking=("tool", "agent"))
    table.expand = True
    table.add_column("arguments", no_wrap=True, overflow="ellipsis", ratio=1)
    for item in items:
        table.add_row(*_pending_cells(item))
    return table


def _pending_cells(item: proposal_pb2.Proposal) -> tuple[Text, ...]:
    expiry = moment(item.expire_time)
    return (
        Text(f"{short_id(item.batch_id)}/{clean(item.key)}", style="bold"),
        Text(tier_name(item.tier), style="bold yellow" if tier_name(item.tier) == "hard" else ""),
        shrinkable(clean(item.tool)),
        shrinkable(clean(item.agent)),
        Text("-" if expiry is None else wait_text((expiry - now()).total_seconds())),
        Text(json_line(shown_arguments(item)[:300])),
    )
