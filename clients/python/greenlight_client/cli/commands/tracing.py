"""trace: where the time of a batch went, as a waterfall of its recorded events."""

from datetime import datetime

import typer
from rich.table import Table
from rich.text import Text

from greenlight_client.cli import ids, options
from greenlight_client.cli.clock import now
from greenlight_client.cli.command import command
from greenlight_client.cli.exit_codes import ExitCode
from greenlight_client.cli.formats import duration_text
from greenlight_client.cli.model import BatchModel
from greenlight_client.cli.sanitise import clean
from greenlight_client.cli.terminal import Terminal
from greenlight_client.cli.watching import show_compacted, what_is_left
from greenlight_client.cli.waterfall import Axis, Phase, Span, Waterfall, axis
from greenlight_client.client import GreenlightClient
from greenlight_client.errors import EventsCompactedError
from greenlight_client.wire import batch_state_name

_MARKS: dict[Phase, tuple[str, str, str]] = {
    Phase.DEPENDENCIES: ("·", "dim", "waits for others"),
    Phase.DECISION: ("░", "yellow", "waits for a decision"),
    Phase.QUEUE: ("-", "dim cyan", "waits to be sent"),
    Phase.RUN: ("█", "green", "runs"),
    Phase.BACKOFF: ("~", "yellow", "waits for its next attempt"),
    Phase.UNKNOWN: ("?", "bold red", "outcome unknown"),
}
_FAILED_MARK = ("▓", "red", "runs, and fails")
_WIDEST_NAME = 32
_FIXED_COLUMNS = 14


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, panel="Look")(trace)


async def trace(terminal: Terminal, batch: options.BatchArgument) -> ExitCode:
    """Show where the time of a batch went."""
    async with terminal.client() as client:
        batch_id = await ids.batch_id(client, batch)
        try:
            waterfall = await _events(client, batch_id)
        except EventsCompactedError as error:
            waterfall = await _events(client, batch_id, error.oldest_sequence - 1)
            if waterfall.model.last is None:
                terminal.say(f"the events of batch {batch_id} are gone, and with them where its time went")
                terminal.say(f"  what is on record: {terminal.again('show', batch_id)}")
                raise
            show_compacted(terminal, error)
            terminal.say(what_is_left(error))
            await _complete(client, waterfall.model)
    model = waterfall.model
    start = waterfall.begin
    if start is None:
        terminal.say("there are no events")
        return ExitCode.SUCCEEDED
    end = model.finished or now()
    spans = waterfall.finish(end)
    end = max([end, *(span.end for span in spans)])
    for span in spans:
        terminal.json_object("span", _object(span))
    head = Text(f"{clean(model.name or 'batch')} {batch_id}: {batch_state_name(model.state)}, ", style="bold")
    head.append(f"{duration_text((end - start).total_seconds())}, trace {model.trace_id or '-'}")
    width = max(20, terminal.out.width - _WIDEST_NAME - _FIXED_COLUMNS)
    terminal.result(head, draw(spans, start, end, min(width, 100)), _legend(spans))
    return ExitCode.SUCCEEDED


async def _events(client: GreenlightClient, batch_id: str, after: int = 0) -> Waterfall:
    waterfall = Waterfall()
    async for event in client.list_events(batch_id, resume_after=after):
        waterfall.add(event)
    return waterfall


async def _complete(client: GreenlightClient, model: BatchModel) -> None:
    """What its first event would have said of it."""
    batch = (await client.get_batch(model.batch_id)).batch
    model.name, model.state, model.trace_id = batch.name, batch.state, batch.trace_id


def draw(spans: list[Span], start: datetime, end: datetime, columns: int) -> Table:
    """A line a proposal, in order of its first span; the time that its runs took at the end."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, max_width=_WIDEST_NAME)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    scale = axis(spans, start, end, columns)
    by_key: dict[str, list[Span]] = {}
    for span in spans:
        by_key.setdefault(span.key, []).append(span)
    for key, own in by_key.items():
        ran = sum((span.end - span.start).total_seconds() for span in own if span.phase is Phase.RUN)
        bar = _bar(own, start, scale, columns)
        table.add_row(Text(clean(key, _WIDEST_NAME)), bar, Text(duration_text(ran) if ran else "", style="dim"))
    return table


def _bar(spans: list[Span], start: datetime, scale: Axis, columns: int) -> Text:
    cells: list[tuple[str, str]] = [(" ", "")] * columns
    for span in spans:
        char, style, _ = _FAILED_MARK if span.failed else _MARKS[span.phase]
        first = int(scale.column((span.start - start).total_seconds()))
        last = max(first + 1, round(scale.column((span.end - start).total_seconds())))
        for place in range(min(first, columns - 1), min(last, columns)):
            cells[place] = (char, style)
    text = Text()
    for char, style in cells:
        text.append(char, style=style)
    return text


def _legend(spans: list[Span]) -> Text:
    text = Text()
    present = {span.phase for span in spans if not span.failed}
    marks = [mark for phase, mark in _MARKS.items() if phase in present]
    if any(span.failed for span in spans):
        marks.append(_FAILED_MARK)
    for char, style, meaning in marks:
        text.append(char, style=style)
        text.append(f" {meaning}   ", style="dim")
    return text


def _object(span: Span) -> dict[str, object]:
    return {
        "key": span.key,
        "agent": span.agent,
        "phase": span.phase.value,
        "attempt": span.attempt,
        "start_time": span.start.isoformat(),
        "end_time": span.end.isoformat(),
        "seconds": (span.end - span.start).total_seconds(),
        "failed": span.failed,
    }
