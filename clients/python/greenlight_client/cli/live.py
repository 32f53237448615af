"""The live view: the board as Rich draws it on stderr. All text of others is cleaned, and shown as Text, not markup."""

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight_client.cli.badges import badge, waits_text
from greenlight_client.cli.board import Board
from greenlight_client.cli.clock import now
from greenlight_client.cli.formats import duration_text, short_id
from greenlight_client.cli.layout import groups
from greenlight_client.cli.model import AgentView, BatchModel, Row
from greenlight_client.cli.sanitise import clean
from greenlight_client.wire import agent_status_name, batch_state_name

_STATE_STYLES = {
    "running": "cyan",
    "blocked": "bold yellow",
    "idle": "dim",
    "cancelling": "yellow",
    "succeeded": "bold green",
    "partial": "bold yellow",
    "failed": "bold red",
    "rejected": "bold magenta",
    "cancelled": "yellow",
}
_AGENT_STYLES = {"idle": "dim", "running": "cyan", "complete": "green", "error": "red"}
_REST_OF_SCREEN = 4
_ALL_LINES = 250
_HINTS = 3


class LiveView:
    """Redraws on `tick`; `stop` leaves the last picture, with all rows if there are not too many.

    `again` makes a command line to type (None: none is shown).
    """

    def __init__(self, console: Console, board: Board, again: Callable[..., str] | None) -> None:
        self._console = console
        self._board = board
        self._again = again
        self._note = ""
        self._changed = True
        self._drawn: datetime | None = None
        self._live = Live(console=console, auto_refresh=False, transient=False, redirect_stderr=False)

    def start(self) -> None:
        self._live.start()

    def event_applied(self, event: event_pb2.Event, model: BatchModel, row: Row | None) -> None:
        self._note, self._changed = "", True

    def note(self, text: str) -> None:
        """One line below the picture, until the next event."""
        self._note, self._changed = clean(text), True

    def tick(self) -> None:
        at = now()
        idle = not self._changed and not self._board.moving()
        if idle and self._drawn is not None and (at - self._drawn).total_seconds() < 1.0:
            return
        self._changed, self._drawn = False, at
        again = self._again
        wanted = [again(*words) for words in self._board.asks()[:_HINTS]] if again is not None else []
        lines = max(5, self._console.size.height - _REST_OF_SCREEN - len(wanted))
        self._live.update(render(self._board, at, lines, self._note, wanted), refresh=True)

    def stop(self) -> None:
        rows = sum(len(model.rows) for model in self._board.models.values())
        lines = _ALL_LINES if rows < _ALL_LINES else self._console.size.height
        self._live.update(render(self._board, now(), lines, self._note), refresh=False)
        self._live.stop()


def render(board: Board, at: datetime, lines: int, note: str, hints: Sequence[str] = ()) -> RenderableType:
    """The whole picture in about so many lines; `hints` are what to type where a person is waited for."""
    models = list(board.models.values())
    parts: list[RenderableType] = []
    for model in models:
        parts.append(_head(model, at))
        parts.append(_rows(model, at, lines // len(models) - 1))
    parts += [Text(f" needs you: {clean(hint)}", style="bold yellow", overflow="fold") for hint in hints]
    if note:
        parts.append(Text(note, style="yellow"))
    return Group(*parts)


def _head(model: BatchModel, at: datetime) -> RenderableType:
    total = len(model.rows)
    state = batch_state_name(model.state)
    style = _STATE_STYLES.get(state, "")
    bar_style = "green" if state in ("running", "succeeded") else style
    grid = Table.grid(padding=(0, 1))
    title = Text(clean(model.name or "batch", 40), style="bold")
    title.append(f" {short_id(model.batch_id)}", style="dim")
    bar = ProgressBar(total=max(1, total), completed=model.done, width=24, complete_style=bar_style or "bar.complete")
    grid.add_row(
        title, bar, Text(f"{model.done}/{total}"), Text(state + _blocked(model), style=style), _elapsed(model, at)
    )
    return grid


def _blocked(model: BatchModel) -> str:
    if model.state != batch_pb2.BATCH_STATE_BLOCKED:
        return ""
    waits = waits_text(model.blocked_on, " and ")
    return f" on {waits}" if waits else ""


def _elapsed(model: BatchModel, at: datetime) -> Text:
    if model.submitted is None:
        return Text("")
    return Text(duration_text(((model.finished or at) - model.submitted).total_seconds()), style="dim")


def _rows(model: BatchModel, at: datetime, lines: int) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(no_wrap=True, max_width=38)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
    for group in groups(model, lines):
        table.add_row(*_agent_cells(group.agent, group.hidden))
        for row in group.rows:
            table.add_row(*_cells(row, model, at))
    return table


def _agent_cells(agent: AgentView, hidden: int) -> tuple[Text, Text, Text, Text]:
    status = agent_status_name(agent.status)
    more = f"and {hidden} more" if hidden else ""
    return (
        Text(f" {clean(agent.name, 30)}", style="bold"),
        Text(status, style=_AGENT_STYLES.get(status, "")),
        Text(f"{agent.done}/{agent.total}"),
        Text(more, style="dim"),
    )


def _cells(row: Row, model: BatchModel, at: datetime) -> tuple[Text, Text, Text, Text]:
    mark = badge(row, model, at)
    elapsed = row.elapsed(at)
    name = Text(f"   {clean(row.key, 34)}")
    if row.state == proposal_pb2.PROPOSAL_STATE_SKIPPED:
        name.stylize("dim")
    return (
        name,
        Text(mark.word, style=mark.style),
        Text("" if elapsed is None else duration_text(elapsed.total_seconds()), style="dim"),
        Text(mark.reason, style="red" if mark.word in ("failed", "unknown") else "dim"),
    )
