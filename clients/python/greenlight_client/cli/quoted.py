"""Text of others that may need several lines: then each is marked, so that none passes for one of ours."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.segment import Segment
from rich.text import Text

from greenlight_client.cli.sanitise import clean_block

_BAR = "│ "
_CONTINUED = "↪ "


class Quoted:
    """Cleaned. What fits on one line stands as it is."""

    def __init__(self, text: str, style: str = "") -> None:
        self._text = Text(clean_block(text).strip(), style=style, overflow="fold")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._text, options, pad=False)
        bar = _BAR if len(lines) > 1 else ""
        if bar:
            inner = options.update(width=max(1, options.max_width - len(bar)))
            lines = console.render_lines(self._text, inner, pad=False)
        for line in lines:
            yield Segment(bar)
            yield from line
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        longest = Measurement.get(console, options, self._text).maximum + len(_BAR)
        return Measurement(len(_BAR) + 1, min(longest, options.max_width))


class Boxed:
    """Parts that belong together: in a terminal within a frame, elsewhere one after another below their title."""

    def __init__(self, title: Text, parts: Sequence[RenderableType], border_style: str) -> None:
        self.title = title
        self.parts = list(parts)
        self._border_style = border_style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Panel(Group(*self.parts), title=self.title, title_align="left", border_style=self._border_style)


class Folded:
    """JSON, cleaned already: in a terminal a line that is too long goes on in marked ones, elsewhere it stays whole."""

    def __init__(self, text: Text | str) -> None:
        self.text = text if isinstance(text, Text) else Text(text)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        inner = options.update(width=max(1, options.max_width - len(_CONTINUED)), overflow="fold")
        for line in self.text.split("\n", allow_blank=True):
            for number, part in enumerate(console.render_lines(line, inner, pad=False)):
                yield Segment(_CONTINUED if number else "")
                yield from part
                yield Segment.line()
