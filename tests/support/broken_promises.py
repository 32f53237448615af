"""Fences taken away, one at a time, for tests that show that somebody notices. Each spoils a sound store, world or
executor."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from executor_svc.application.owners import Owners
from executor_svc.application.run import Run
from orchestrator_svc.application.engine.grouping import Recording
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.domain.probing import Look
from orchestrator_svc.domain.proposal import Finding, ProposalState
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.ports.feed import News
from orchestrator_svc.ports.store import Committed, Incarnation, Store
from tests.support.workshop import Workshop
from tests.support.world import World

_Row = tuple[int, str, int, int]
Sql = Callable[..., Awaitable[Sequence[Sequence[Any]]]]
"""Runs a statement ($1, $2...: what follows it) on the database of a store, past the store; returns its rows."""


def in_file(path: Path) -> Sql:
    """Of SQLite."""

    async def run(statement: str, *arguments: Any) -> Sequence[Sequence[Any]]:
        with closing(sqlite3.connect(path)) as connection, connection:
            return connection.execute(statement.replace("$", "?"), arguments).fetchall()

    return run


class UnguardedStore:
    """Before a commit each batch's row says what its writer believes, whoever that is.

    What could not be written all the same gets its row back.
    """

    def __init__(self, inner: Store, sql: Sql) -> None:
        self._inner, self._sql = inner, sql

    @property
    def port(self) -> Store:
        return cast(Store, self)

    async def commit(self, writes: Sequence[BatchWrite]) -> Committed:
        old = {write.batch.id: write for write in writes if not write.created}
        before = {batch_id: await self._say(_believed(write)) for batch_id, write in old.items()}
        committed = await self._inner.commit(writes)
        for batch_id in old.keys() & committed.lost:
            await self._say(before[batch_id])
        return committed

    async def _say(self, row: _Row) -> _Row:
        """Returns what stood there."""
        select = "SELECT epoch, incarnation, head, batch_no FROM batches WHERE batch_no = $1"
        (before,) = await self._sql(select, row[-1]) or [row]
        await self._sql("UPDATE batches SET epoch = $1, incarnation = $2, head = $3 WHERE batch_no = $4", *row)
        epoch, incarnation, head, number = before
        return epoch, incarnation, head, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _believed(write: BatchWrite) -> _Row:
    batch, events = write.batch, write.events
    return batch.epoch, batch.incarnation, events[0].sequence - 1 if events else write.header.head, batch.number


class UnfencedStore:
    """While it commits, the row of its start does not say that somebody has ended it."""

    def __init__(self, inner: Store, sql: Sql) -> None:
        self._inner, self._sql = inner, sql
        self._incarnation = ""

    @property
    def port(self) -> Store:
        return cast(Store, self)

    async def start(self, incarnation: Incarnation) -> None:
        self._incarnation = incarnation.id
        await self._inner.start(incarnation)

    async def commit(self, writes: Sequence[BatchWrite]) -> Committed:
        before = await self._say(0)
        try:
            return await self._inner.commit(writes)
        finally:
            await self._say(before)

    async def _say(self, superseded: int) -> int:
        """Returns what stood there."""
        ((before,),) = await self._sql("SELECT superseded FROM incarnations WHERE id = $1", self._incarnation)
        await self._sql("UPDATE incarnations SET superseded = $1 WHERE id = $2", superseded, self._incarnation)
        return before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def publish_first(world: World) -> None:
    """Watchers see events before these are committed."""
    record = world.engine.recorder.record

    def loud(recording: Recording) -> None:
        changes = recording.changes
        batch, header = changes.batch, changes.header
        if header is not None and changes.events:
            frames = tuple(world.codec.encode(batch.id, changes.events))
            news = News(batch.tenant, batch.session_id, batch.id, header.head, header.state, frames)
            world.feed.publish([news])
        record(recording)

    world.engine.recorder.record = loud


def dispatch_first(world: World) -> None:
    """Attempts go out before they are on record, whatever their effect."""
    record = world.engine.recorder.record

    def hasty(recording: Recording) -> None:
        sends = any(each.state is ProposalState.RUNNING for each in recording.changes.records.values())
        record(_at_once(recording) if sends and recording.unknown is None else recording)

    world.engine.recorder.record = hasty


def never_fenced(tools: Workshop) -> None:
    """The executor says that it has never seen a call, and would run it all the same."""
    tools.replica.journal.fenced = _Nothing()


class _Nothing(set[str]):
    def add(self, element: str) -> None:
        pass


class Anybodys(Owners):
    """An executor's: whoever comes gets a call that runs, and stops it, however old the epoch that they come with."""

    def admits(self, run: Run, epoch: int) -> bool:
        super().admits(run, epoch)
        return True


def never_journalled(tools: Workshop) -> None:
    """The executor knows its starts, but does not write down what it accepts, nor how that ends."""
    tools.replica.journal.calls = _Blank()


class _Blank(dict[str, tuple[str, Ending | None]]):
    def __setitem__(self, key: str, value: tuple[str, Ending | None]) -> None:
        pass


def found_anyway(tools: Workshop) -> None:
    """The tool says that the effect is there, without looking."""
    tools.replica.probe("transfer", lambda call: Look(Finding.FOUND, "{}"))


def never_found(tools: Workshop) -> None:
    """The tool says that the effect is not there, without looking."""
    tools.replica.probe("transfer", lambda call: Look(Finding.NOT_FOUND))


def answer_first(world: World, kind: str) -> None:
    """Who made a request of that kind gets the answer before what it asks for is committed, and has time to hear it."""
    record, commit = world.engine.recorder.record, world.store.commit

    def hasty(recording: Recording) -> None:
        command = recording.changes.command
        record(_at_once(recording) if command is not None and command.kind == kind else recording)

    async def slow(writes: Sequence[BatchWrite]) -> Committed:
        for _ in range(5):
            await asyncio.sleep(0)
        return await commit(writes)

    world.engine.recorder.record = hasty
    world.store.commit = slow  # type: ignore[method-assign]


def _at_once(recording: Recording) -> Recording:
    """Does at once what was to follow the commit."""
    if recording.then is not None:
        recording.then()
    return Recording(recording.changes, None, recording.lost)
