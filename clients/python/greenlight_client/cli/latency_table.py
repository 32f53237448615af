"""The latency table of a batch, and the one line that compares it with one by one."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from greenlight_client.cli.formats import duration_text, milliseconds_text
from greenlight_client.cli.latency import AttemptTimes, Comparison
from greenlight_client.cli.sanitise import clean

_COLUMNS = ("decision wait", "queue wait", "executor queue", "tool", "wire", "record")


def latency_table(times: Sequence[AttemptTimes], comparison: Comparison) -> Table:
    """A line an attempt, in milliseconds; what is not known is a dash. Calls on the critical path are marked."""
    table = Table(box=None, pad_edge=False, header_style="dim", title="latency, ms", title_justify="left")
    table.add_column("call", no_wrap=True)
    table.add_column("attempt", no_wrap=True)
    for head in _COLUMNS:
        table.add_column(head, justify="right", no_wrap=True)
    for entry in times:
        on_path = entry.key in comparison.path.keys
        name = Text(
            f"{'*' if on_path else ' '} {clean(entry.agent)}/{clean(entry.key)}", style="bold" if on_path else ""
        )
        attempt = Text(f"{entry.number}", style="" if entry.succeeded else "red")
        attempt.append("" if entry.succeeded else " failed")
        parts = (entry.decision, entry.queue, entry.executor_queue, entry.tool, entry.wire, entry.record)
        table.add_row(name, attempt, *(Text("-" if part is None else milliseconds_text(part)) for part in parts))
    table.caption = "* on the critical path"
    table.caption_justify = "left"
    return table


def comparison_line(comparison: Comparison, *, sequential: bool) -> str:
    """Sequential, real, and the least that any schedule could have taken."""
    took = f"this took {comparison.took:.2f} s{' one by one' if sequential else ''}"
    line = (
        f"sequential would have taken {comparison.sequential:.2f} s (sum of what was measured), {took}, "
        f"the critical path is {comparison.path.seconds:.2f} s"
    )
    if comparison.blocked >= 0.005:
        line += f"; {duration_text(comparison.blocked)} of waiting for a person are not counted"
    return line


def times_object(entry: AttemptTimes) -> dict[str, Any]:
    """For --json: seconds."""
    return asdict(entry)
