"""show: all that is on record of a batch, or of one proposal."""

import typer
from rich.table import Table
from rich.text import Text

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight_client.cli import ids, options
from greenlight_client.cli.attempts import attempt_text
from greenlight_client.cli.badges import failure_text, waits_text
from greenlight_client.cli.cards import shown_arguments
from greenlight_client.cli.command import command
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.formats import moment, moment_text
from greenlight_client.cli.quoted import Folded, Quoted
from greenlight_client.cli.results import STYLES, answers_table, say_how_to_go_on
from greenlight_client.cli.sanitise import clean, indented_json
from greenlight_client.cli.terminal import Terminal
from greenlight_client.wire import (
    FINISHED_BATCH_STATES,
    agent_status_name,
    batch_state_name,
    effect_name,
    proposal_state_name,
    tier_name,
    verdict_name,
    waiting_text,
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, panel="Look")(show)


async def show(terminal: Terminal, thing: options.ThingArgument) -> ExitCode:
    """Show a batch with its answers, or one proposal with everything on record of it."""
    async with terminal.client() as client:
        if "/" in thing:
            proposal = await client.get_proposal(await ids.proposal_id(client, thing))
            terminal.json("proposal", proposal)
            show_proposal(terminal, proposal)
            return ExitCode.SUCCEEDED
        found = await client.get_batch(await ids.batch_id(client, thing), "answers")
    terminal.json("batch", found.batch)
    for answer in found.answers:
        terminal.json("answer", answer)
    terminal.result(_batch_facts(found.batch), Text(), answers_table(found.answers))
    if found.omitted:
        terminal.say(f"{found.omitted} answers did not fit; `greenlight show BATCH/KEY` has each")
    if found.batch.state not in FINISHED_BATCH_STATES:
        say_how_to_go_on(terminal, found.batch, found.answers)
    return ExitCode.SUCCEEDED


def _batch_facts(batch: batch_pb2.Batch) -> Table:
    facts = _facts()
    state = batch_state_name(batch.state)
    facts.add_row("batch", Text(batch.batch_id, style="bold"))
    if batch.name or batch.template:
        facts.add_row("name, template", Quoted(clean(f"{batch.name or '-'}, {batch.template or '-'}")))
    waits = waits_text(batch.blocked_on, " and ") if batch.state == batch_pb2.BATCH_STATE_BLOCKED else ""
    blocked = f" on {waits}" if waits else ""
    facts.add_row("state", Text(state + blocked + (", open" if batch.open else ""), style=STYLES.get(state, "")))
    facts.add_row("session", Quoted(f"{clean(batch.session_id)} (its batch {batch.session_no})"))
    facts.add_row("submitted by", Quoted(clean(batch.principal)))
    facts.add_row("created, finished", f"{moment_text(batch.create_time)}, {moment_text(batch.finish_time)}")
    facts.add_row("trace", batch.trace_id or "-")
    for agent in batch.agents:
        status = agent_status_name(agent.status)
        facts.add_row("agent", Quoted(f"{clean(agent.name)}: {status}, {agent.done}/{agent.total}"))
    for key, value in sorted(batch.labels.items()):
        facts.add_row("label", Quoted(f"{clean(key)}={clean(value)}"))
    return facts


def show_proposal(terminal: Terminal, proposal: proposal_pb2.Proposal) -> None:
    """In words."""
    facts = _facts()
    state = proposal_state_name(proposal.state)
    facts.add_row("proposal", Text(clean(proposal.proposal_id), style="bold"))
    facts.add_row("tool", Quoted(f"{clean(proposal.tool)} {clean(proposal.version)}"))
    facts.add_row("tier, effect", f"{tier_name(proposal.tier)}, {effect_name(proposal.effect).replace('_', ' ')}")
    facts.add_row("state", Quoted(state.replace("_", " ") + _why(proposal), STYLES.get(state, "")))
    if proposal.last_operator:
        reason = f": {clean(proposal.last_operator_reason)}" if proposal.last_operator_reason else ""
        facts.add_row("last steered by", Quoted(clean(proposal.last_operator) + reason))
    facts.add_row("agent", Quoted(f"{clean(proposal.agent)} for {clean(proposal.principal)}"))
    facts.add_row("session", Quoted(clean(proposal.session_id)))
    facts.add_row("created, finished", f"{moment_text(proposal.create_time)}, {moment_text(proposal.finish_time)}")
    if proposal.title:
        facts.add_row("title", Quoted(clean(proposal.title)))
    if proposal.rationale:
        facts.add_row("rationale", Quoted(proposal.rationale))
    for dependency in proposal.depends_on:
        ended = dependency.when == proposal_pb2.DEPENDENCY_CONDITION_FINISHED
        facts.add_row("after", Quoted(clean(dependency.key) + (" (however it ends)" if ended else "")))
    if proposal.missing_inputs:
        facts.add_row("without", Quoted(clean(", ".join(proposal.missing_inputs))))
    for key, value in sorted(proposal.labels.items()):
        facts.add_row("label", Quoted(f"{clean(key)}={clean(value)}"))
    facts.add_row("digest proposed", proposal.proposed_digest)
    facts.add_row("digest bound", proposal.bound_digest or "-")
    facts.add_row("idempotency key", Quoted(clean(proposal.idempotency_key) or "-"))
    for decision in proposal.decisions:
        facts.add_row("decision", Quoted(_decision(decision)))
    for attempt in proposal.attempts:
        facts.add_row("attempt", Quoted(attempt_text(attempt)))
    terminal.result(facts)
    terminal.result(Text("arguments", style="dim"), Folded(indented_json(shown_arguments(proposal))))
    if proposal.bound_arguments_json and proposal.bound_arguments_json != proposal.proposed_arguments_json:
        terminal.result(
            Text("arguments as proposed, with their references", style="dim"),
            Folded(indented_json(proposal.proposed_arguments_json)),
        )
    if proposal.original_arguments_json:
        terminal.result(
            Text("arguments before they were edited", style="dim"),
            Folded(indented_json(proposal.original_arguments_json)),
        )
    if proposal.result_json:
        terminal.result(Text("result", style="dim"), Folded(indented_json(proposal.result_json)))


def _why(proposal: proposal_pb2.Proposal) -> str:
    if proposal.HasField("failure"):
        return f" ({failure_text(proposal.failure)})"
    if proposal.skipped_because:
        return f" (because of {clean(proposal.skipped_because)})"
    if proposal.HasField("waiting"):
        end = moment(proposal.waiting.until_time)
        until = "" if end is None else f", until {moment_text(proposal.waiting.until_time)}"
        return f" (waiting for {clean(waiting_text(proposal.waiting))}{until})"
    return ""


def _decision(decision: proposal_pb2.DecisionRecord) -> str:
    marks = [
        word
        for word, is_so in (
            ("edited", decision.edited),
            ("before references were filled", decision.accept_unbound),
            ("by the user's turn", decision.soft_confirmed),
        )
        if is_so
    ]
    more = f" ({', '.join(marks)})" if marks else ""
    message = f": {clean(decision.message)}" if decision.message else ""
    by = f"{verdict_name(decision.verdict)} by {clean(decision.principal)}"
    return f"{by}{more} at {moment_text(decision.decide_time)} on {decision.digest}{message}"


def _facts() -> Table:
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    return facts
