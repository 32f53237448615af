"""Following a stream of events to its end, in the form that fits: a live picture, plain lines, or JSON lines."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight_client.cli.board import Board
from greenlight_client.cli.clock import now
from greenlight_client.cli.formats import moment
from greenlight_client.cli.interruptions import Interruptions
from greenlight_client.cli.live import LiveView
from greenlight_client.cli.model import BatchModel, Row
from greenlight_client.cli.plain import PlainLines
from greenlight_client.cli.sanitise import clean
from greenlight_client.cli.terminal import Terminal
from greenlight_client.client import GreenlightClient
from greenlight_client.errors import EventsCompactedError, GreenlightError
from greenlight_client.streams import EventStream

_REDRAW_EVERY = 0.125
_ASK_EVERY = 1.0
_ASKED_AT_MOST = 200
_HINTS = 5


def show_compacted(terminal: Terminal, error: EventsCompactedError) -> None:
    """With --json; numbers of 64 bits are strings there."""
    body = {"batch_id": error.batch_id, "oldest_sequence": str(error.oldest_sequence)}
    terminal.json_object("compacted", body)


def what_is_left(error: EventsCompactedError) -> str:
    """For people."""
    return f"old events of batch {error.batch_id} are gone: this is what is left of them"


class View(Protocol):
    """What a watcher sees."""

    def start(self) -> None: ...

    def event_applied(self, event: event_pb2.Event, model: BatchModel, row: Row | None) -> None: ...

    def note(self, text: str) -> None: ...

    def tick(self) -> None: ...

    def stop(self) -> None: ...


class PlainView:
    """Lines on stderr; with --json the events on stdout instead."""

    def __init__(self, terminal: Terminal, board: Board, *, hints: bool) -> None:
        self._terminal = terminal
        self._board = board
        self._hints = hints
        self._lines = PlainLines()
        self._told: set[tuple[str, ...]] = set()

    def start(self) -> None: ...

    def event_applied(self, event: event_pb2.Event, model: BatchModel, row: Row | None) -> None:
        if self._terminal.settings.json_lines:
            self._terminal.json("event", event)
        elif (line := self._lines.line(event, model, row)) is not None:
            self._terminal.say(line)
            if self._hints and row is None and model.state == batch_pb2.BATCH_STATE_BLOCKED:
                self._say_what_to_do()

    def _say_what_to_do(self) -> None:
        wanted = [words for words in self._board.asks() if words not in self._told]
        self._told.update(wanted)
        for words in wanted[:_HINTS]:
            self._terminal.say(f"  needs you: {clean(self._terminal.again(*words))}")
        if len(wanted) > _HINTS:
            self._terminal.say(f"  and {len(wanted) - _HINTS} more: {self._terminal.again('pending')}")

    def note(self, text: str) -> None:
        self._terminal.say(clean(text) or "connected again")

    def tick(self) -> None: ...

    def stop(self) -> None: ...


class Watcher:
    """Follows streams one after another on one board, so that a picture goes on where it stood."""

    def __init__(
        self,
        terminal: Terminal,
        client: GreenlightClient,
        board: Board | None = None,
        on_event: Callable[[event_pb2.Event], None] = lambda event: None,
        *,
        hints: bool = True,
        told_at_end: bool = False,
    ) -> None:
        """`hints`: say what to type where a person is waited for; `told_at_end`: the caller does, once it ends."""
        self.board = board or Board()
        self._on_event = on_event
        self._again = terminal.again if hints else None
        self._told_at_end = told_at_end
        self._client = client
        self._terminal = terminal
        self._view: View | None = None
        self._interruptions = Interruptions(self._note)
        self._gone = ""
        self._looked_up: set[str] = set()

    def interrupted(self, error: GreenlightError | None) -> None:
        """For `on_interruption`."""
        if error is None:
            self._interruptions.restored()
        else:
            self._interruptions.lost(error)

    def _note(self, text: str) -> None:
        if self._view is not None:
            self._view.note(text)

    def compacted(self, error: EventsCompactedError) -> None:
        """For `on_compacted`."""
        show_compacted(self._terminal, error)
        self._gone = what_is_left(error)
        self._note(self._gone)

    async def follow(self, stream: EventStream) -> batch_pb2.Summary:
        """To the end of the stream. Cancelled (Ctrl-C), it leaves the terminal in order; the batch goes on."""
        view = self._view = (
            LiveView(self._terminal.err, self.board, self._again)
            if self._terminal.is_live
            else PlainView(self._terminal, self.board, hints=self._again is not None and not self._told_at_end)
        )
        view.start()
        failure: Exception | None = None
        try:
            async with stream, asyncio.TaskGroup() as group:
                helpers = [group.create_task(self._redraw(view))]
                if self._terminal.is_live:
                    helpers.append(group.create_task(self._ask_why_waiting()))
                try:
                    async for event in stream:
                        self._interruptions.event_came()
                        self._on_event(event)
                        model, row = self.board.apply(event)
                        await self._look_up_submission(model)
                        view.event_applied(event, model, row)
                except Exception as error:  # raised again below, and not as a group
                    failure = error
                for helper in helpers:
                    helper.cancel()
        finally:
            view.stop()
            self._view = None
            if self._gone and self._terminal.is_live:
                self._terminal.say(clean(self._gone))
        if failure is not None:
            raise failure
        return stream.summary

    async def _look_up_submission(self, model: BatchModel) -> None:
        """Once, where the stream began after the batch's first event."""
        if model.submitted is not None or model.batch_id in self._looked_up or self._terminal.settings.json_lines:
            return
        self._looked_up.add(model.batch_id)
        try:
            found = await self._client.get_batch(model.batch_id)
        except GreenlightError:
            return  # its lines are without times
        model.submitted = moment(found.batch.create_time)

    async def _redraw(self, view: View) -> None:
        while True:
            self._interruptions.tick()
            view.tick()
            await asyncio.sleep(_REDRAW_EVERY)

    async def _ask_why_waiting(self) -> None:
        """Capacity and executors are the server's knowledge: it is asked about what could run and does not."""
        while True:
            await asyncio.sleep(_ASK_EVERY)
            for model in self.board.stalled(now()):
                try:
                    model.note_waiting(await self._waiting_in(model.batch_id))
                except GreenlightError:
                    continue  # the stream tells of a lost connection

    async def _waiting_in(self, batch_id: str) -> list[proposal_pb2.Proposal]:
        found: list[proposal_pb2.Proposal] = []
        states = [proposal_pb2.PROPOSAL_STATE_APPROVED, proposal_pb2.PROPOSAL_STATE_RUNNING]
        async for proposal in self._client.list_proposals(batch_id=batch_id, states=states, page_size=_ASKED_AT_MOST):
            found.append(proposal)
            if len(found) == _ASKED_AT_MOST:
                break
        return found
