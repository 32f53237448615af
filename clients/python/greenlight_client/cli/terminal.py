"""Where a command writes and asks: results on stdout, everything else on stderr; and the client that it uses."""

import asyncio
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from greenlight_client.cli.json_lines import json_line, object_line
from greenlight_client.cli.quoted import Boxed, Folded
from greenlight_client.cli.sanitise import clean, harmless
from greenlight_client.client import DEFAULT_SERVER, GreenlightClient

_WIDTH_OF_A_FILE = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """What every command takes. `retry_for`: seconds for which a server that is not there is sought."""

    server: str = DEFAULT_SERVER
    tenant: str | None = None
    principal: str | None = None
    json_lines: bool = False
    retry_for: float = 2.0


class Terminal:
    """Text of others goes through `sanitise` (or `quoted`) before it comes here: only there are ends of its lines told
    from ours. A str is one line whatever is in it, and nothing that moves, colours or hides comes through."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)

    @property
    def is_live(self) -> bool:
        """A picture can be redrawn."""
        return self.err.is_terminal and not self.err.is_dumb_terminal and not self.settings.json_lines

    @property
    def can_ask(self) -> bool:
        """A person is there to answer."""
        return sys.stdin.isatty() and self.err.is_terminal and not self.settings.json_lines

    def client(self) -> GreenlightClient:
        """Of the server, tenant and principal that were asked for; to be opened by `async with`."""
        settings = self.settings
        return GreenlightClient(
            settings.server, tenant=settings.tenant, principal=settings.principal, retry_for=settings.retry_for
        )

    def result(self, *shown: RenderableType) -> None:
        """To stdout, for people; nothing with --json."""
        if not self.settings.json_lines:
            for item in shown:
                _print(self.out, item)

    def json(self, kind: str, message: Message) -> None:
        """To stdout, with --json only: one line."""
        if self.settings.json_lines:
            print(json_line(kind, message), flush=True)

    def json_object(self, kind: str, body: Any) -> None:
        """To stdout, with --json only: one line that is no proto message."""
        if self.settings.json_lines:
            print(object_line(kind, body), flush=True)

    def say(self, *shown: RenderableType, style: str = "") -> None:
        """To stderr: what happens, and what to do."""
        for item in shown:
            _print(self.err, item, style)

    async def ask(self, question: str) -> str:
        """One line from the person, stripped; empty at the end of input. Only where `can_ask`."""
        self.err.print(clean(question), end=" ")
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[str] = loop.create_future()
        descriptor = sys.stdin.fileno()
        loop.add_reader(descriptor, lambda: answered.done() or answered.set_result(sys.stdin.readline()))
        try:
            return (await answered).strip()
        finally:
            loop.remove_reader(descriptor)

    def again(self, *words: str) -> str:
        """A command line to paste, for the same server, tenant and principal; keys of others are quoted."""
        settings = self.settings
        options: list[str] = []
        if settings.server != DEFAULT_SERVER:
            options += ["--server", settings.server]
        if settings.tenant is not None:
            options += ["--tenant", settings.tenant]
        if settings.principal is not None:
            options += ["--principal", settings.principal]
        return shlex.join(["greenlight", *words, *options])


def _print(console: Console, item: RenderableType, style: str = "") -> None:
    if isinstance(item, str):
        item = item.replace("\n", " ")
    if isinstance(item, str | Text):
        console.print(item, soft_wrap=True, style=style)
    elif console.is_terminal:
        console.print(item, style=style)
    elif isinstance(item, Folded):
        console.print(item.text, soft_wrap=True, style=style)
    elif isinstance(item, Boxed):
        for part in (item.title, *item.parts):
            _print(console, part, style)
    else:
        for line in console.render_lines(item, pad=False):
            console.print(Text("".join(segment.text for segment in line).rstrip()), soft_wrap=True)


class _Console(Console):
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """All that is shown passes here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Whoever read the output is gone: the command ends as by Ctrl-C, not with an error of its own."""
        raise BrokenPipeError


def _console(*, stderr: bool) -> Console:
    console = _Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    return console
