"""A proposal as an approver sees it: exactly what would run, its digest, and who says so. Text of agents is marked."""

import difflib
import json
from collections.abc import Iterator
from typing import Any, cast

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from greenlight.orchestrator.v1 import proposal_pb2
from greenlight_client.cli.clock import now
from greenlight_client.cli.formats import moment, wait_text
from greenlight_client.cli.inputs import ordered_json
from greenlight_client.cli.quoted import Boxed, Folded, Quoted
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
    # On a line of its own: whole in a terminal of 80 columns.
    digest = [Text("digest", style="dim"), Text(proposal.digest)]
    parts: list[RenderableType] = [facts, *digest, Text(), *_arguments(proposal)]
    if proposal.title or proposal.rationale:
        parts += [Text("* the agent's own words, not checked by anybody", style="dim")]
    title = Text(clean(proposal.proposal_id), style="bold yellow")
    return Boxed(title, parts, "yellow")


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
    asked = proposal.state == proposal_pb2.PROPOSAL_STATE_PROPOSED
    head = "arguments, as proposed" if not bound else "arguments, as they will run" if asked else "arguments"
    if not bound and '"$from"' in proposal.proposed_arguments_json:
        head += " (references are filled in later: the digest is of what stands here)"
    arguments = shown_arguments(proposal)
    parts: list[RenderableType] = [Text(head, style="dim"), Folded(indented_json(arguments)), *_prose(arguments)]
    if proposal.original_arguments_json:
        parts += [
            Text("edited; the agent had proposed", style="dim"),
            Folded(indented_json(proposal.original_arguments_json)),
        ]
    return parts


def _prose(arguments: str) -> list[RenderableType]:
    """Texts of several lines once more, as they read: each line marked. The exact ones are those above."""
    parts: list[RenderableType] = []
    for place, text in _texts(json.loads(arguments or "null"), ""):
        if "\n" in text.strip():
            parts += [Text(f"{clean(place)}, as it reads", style="dim"), Quoted(text)]
    return parts


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every string in a JSON value, with the JSON Pointer to it."""
    if isinstance(value, str):
        yield place or "/", value
    elif isinstance(value, dict):
        for name, inner in cast(dict[str, Any], value).items():
            yield from _texts(inner, f"{place}/{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(cast(list[Any], value)):
            yield from _texts(inner, f"{place}/{number}")
