"""What a command gives on stdout: answers, and what still waits for whom."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from greenlight.orchestrator.v1 import batch_pb2, orchestrator_pb2, proposal_pb2
from greenlight_client.answers import answer_text
from greenlight_client.cli.command import error_object, say_what_is_wrong
from greenlight_client.cli.exit_codes import ExitCode, of_error, of_summary
from greenlight_client.cli.formats import short_id
from greenlight_client.cli.sanitise import clean, json_line
from greenlight_client.cli.terminal import Terminal
from greenlight_client.errors import error_from_status
from greenlight_client.wire import (
    FINISHED_BATCH_STATES,
    batch_state_name,
    proposal_state_name,
    waiting_text,
)

STYLES = {
    "succeeded": "green",
    "failed": "red",
    "rejected": "magenta",
    "expired": "red",
    "skipped": "yellow",
    "cancelled": "yellow",
    "outcome_unknown": "bold red",
    "proposed": "bold yellow",
    "running": "cyan",
}
_PREVIEW = 500


def show_summary(terminal: Terminal, summary: batch_pb2.Summary) -> ExitCode:
    """A stream's last message: its answers on stdout, what waits on stderr."""
    terminal.json("summary", summary)
    terminal.result(answers_table(summary.answers, with_batches=len(summary.batches) > 1))
    if summary.omitted_answers:
        terminal.say(f"{summary.omitted_answers} answers did not fit into the summary; `greenlight show` has them")
    for batch in [summary.batch] if summary.HasField("batch") else summary.batches:
        _say_state(terminal, batch, summary)
    return of_summary(summary)


def answers_table(answers: Sequence[proposal_pb2.Answer], *, with_batches: bool = False) -> Table:
    """A line an answer: (batch and) key, state, and the result (or why there is none) as far as there is room."""
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
    for answer in answers:
        state = proposal_state_name(answer.state)
        mark = Text(state.replace("_", " "), style=STYLES.get(state, ""))
        batch = f"{short_id(answer.batch_id)}/" if with_batches else ""
        table.add_row(Text(f"{batch}{clean(answer.key)}"), mark, Text(answer_line(answer)))
    return table


def answer_line(answer: proposal_pb2.Answer) -> str:
    """The result as it stands, or why there is none."""
    if answer.omitted:
        return "(large: greenlight show prints it)"
    if answer.state == proposal_pb2.PROPOSAL_STATE_SUCCEEDED:
        return json_line(answer.result_json[:_PREVIEW])
    if answer.HasField("waiting") and not answer.HasField("failure"):
        return clean(f"waiting for {waiting_text(answer.waiting)}")
    _, _, why = answer_text(answer).partition(": ")
    return clean(why)


def show_item_answers(terminal: Terminal, answers: Sequence[orchestrator_pb2.ProposalAnswer], done: str) -> ExitCode:
    """What became of each item of a request; the first error makes the exit code."""
    code = ExitCode.SUCCEEDED
    for answer in answers:
        terminal.json("answer", answer)
        if not answer.status.code:
            state = proposal_state_name(answer.state).replace("_", " ")
            now = "" if done.startswith(state) else f" (now {state})"
            terminal.result(Text(f"{done} {clean(answer.proposal_id)}{now}"))
            continue
        error = error_from_status(answer.status)
        terminal.json_object("error", error_object(error))
        named = answer.proposal_id in error.message
        say_what_is_wrong(terminal, "" if named else f"{answer.proposal_id}:", error)
        code = of_error(error) if code is ExitCode.SUCCEEDED else code
    return code


def _say_state(terminal: Terminal, batch: batch_pb2.Batch, summary: batch_pb2.Summary) -> None:
    state = batch_state_name(batch.state)
    counts = batch.counts
    text = Text(f"batch {batch.batch_id} ")
    text.append(state, style=STYLES.get(state, "bold"))
    text.append(f": {counts.succeeded} of {counts.total} succeeded")
    if batch.missing and counts.succeeded:
        text.append(f", without {clean(', '.join(batch.missing), 200)}")
    terminal.say(text)
    if batch.state not in FINISHED_BATCH_STATES:
        say_how_to_go_on(terminal, batch, summary.answers)


def say_how_to_go_on(terminal: Terminal, batch: batch_pb2.Batch, answers: Sequence[proposal_pb2.Answer]) -> None:
    """The commands for what waits for a person, and the one to watch the rest."""
    for answer in answers:
        if answer.batch_id not in ("", batch.batch_id):
            continue
        proposal = f"{batch.batch_id}/{clean(answer.key)}"
        if answer.waiting.reason == proposal_pb2.WAITING_REASON_DECISION:
            terminal.say(f"  {clean(answer.key)} waits for a decision: {terminal.again('approve', proposal)}")
        elif answer.state == proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN:
            terminal.say(f"  {clean(answer.key)} waits for a resolution: {terminal.again('resolve', proposal)}")
    terminal.say(f"  go on watching: {terminal.again('watch', batch.batch_id)}")
