"""Lists as tables: what tells a line from another never shrinks; where room is short, what people wrote does."""

from collections.abc import Collection

from rich.table import Table
from rich.text import Text


def listing(*heads: str, shrinking: Collection[str] = ()) -> Table:
    """A column a head. Those in `shrinking` give way, the widest first; fill them with `shrinkable`."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in heads:
        table.add_column(head, no_wrap=head not in shrinking)
    return table


def shrinkable(text: str, style: str = "") -> Text:
    """One line, which ends with an ellipsis where it does not fit."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
