"""A proposal as an approver sees it: exactly what would run, its digest, and who says so. Text of agents is marked."""

import difflib

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli.clock import now
from greenlight_client.cli.formats import moment, wait_text
from greenlight_client.cli.inputs import ordered_json
from greenlight_client.cli.quoted import Quoted
from greenlight_client.cli.sanitise import clean, indented_json
from greenlight_client.wire import effect_name, proposal_state_name, tier_name


def card(proposal: proposal_pb2.Proposal) -> RenderableType:
    """What is asked for."""
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("tool", Text(f"{clean(proposal.tool)} {clean(proposal.version)}", style="bold"))
    facts.add_row("tier, effect", f"{tier_name(proposal.tier)}, {effect_name(proposal.effect).replace('_', ' ')}")
    facts.add_row("proposed by", Quoted(f"{clean(proposal.agent)} for {clean(proposal.principal)}"))
    if proposal.title:
        facts.add_row("title*", Quoted(clean(proposal.title, 300)))
    if proposal.rationale:
        facts.add_row("rationale*", Quoted(proposal.rationale))
    if proposal.state != proposal_pb2.PROPOSAL_STATE_PROPOSED:
        facts.add_row("state", Text(f"{proposal_state_name(proposal.state)}: there is nothing to decide", style="red"))
    elif (expiry := moment(proposal.expire_time)) is not None:
        facts.add_row("expires in", wait_text((expiry - now()).total_seconds()))
    facts.add_row("digest", Text(proposal.digest))
    parts: list[RenderableType] = [facts, Text(), *_arguments(proposal)]
    if proposal.title or proposal.rationale:
        parts += [Text("* the agent's own words, not checked by anybody", style="dim")]
    title = Text(clean(proposal.proposal_id), style="bold yellow")
    return Panel(Group(*parts), title=title, title_align="left", border_style="yellow")


def shown_arguments(proposal: proposal_pb2.Proposal) -> str:
    """What would run: the bound arguments where there are, else the proposed ones, with their references."""
    return proposal.bound_arguments_json or proposal.proposed_arguments_json


def difference(before: str, after: str) -> Text:
    """Two JSON texts, line by line; nothing where they say the same, whatever the order and layout of their members.

    Raises NotJsonError.
    """
    text = Text()
    old, new = (indented_json(ordered_json(side)).splitlines() for side in (before, after))
    lines = difflib.unified_diff(old, new, "proposed", "edited", lineterm="")
    for line in lines:
        style = "green" if line.startswith("+") else "red" if line.startswith("-") else "dim"
        text.append(line + "\n", style=style)
    return text


def _arguments(proposal: proposal_pb2.Proposal) -> list[RenderableType]:
    bound = bool(proposal.bound_arguments_json)
    head = "arguments, as they will run" if bound else "arguments, as proposed"
    if not bound and '"$from"' in proposal.proposed_arguments_json:
        head += " (references are filled in later: the digest is of what stands here)"
    parts: list[RenderableType] = [Text(head, style="dim"), Text(indented_json(shown_arguments(proposal)))]
    if proposal.original_arguments_json:
        parts += [
            Text("edited; the agent had proposed", style="dim"),
            Text(indented_json(proposal.original_arguments_json)),
        ]
    return parts
