"""Fences taken away, one at a time, for tests that show that somebody notices. Each spoils a sound store or world."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from orchestrator_svc.application.engine.grouping import Recording
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.ports.feed import News
from orchestrator_svc.ports.store import Committed, Store
from tests.support.workshop import Workshop
from tests.support.world import World

_Row = tuple[int, str, int, int]


class UnguardedStore:
    """Over an SQLite file: before a commit each batch's row says what its writer believes, whoever that is.

    What could not be written all the same gets its row back.
    """

    def __init__(self, inner: Store, path: Path) -> None:
        self._inner, self._path = inner, path

    @property
    def port(self) -> Store:
        return cast(Store, self)

    async def commit(self, writes: Sequence[BatchWrite]) -> Committed:
        old = {write.batch.id: write for write in writes if not write.created}
        with closing(sqlite3.connect(self._path)) as connection:
            before = {batch_id: self._say(connection, _believed(write)) for batch_id, write in old.items()}
            committed = await self._inner.commit(writes)
            for batch_id in old.keys() & committed.lost:
                self._say(connection, before[batch_id])
        return committed

    @staticmethod
    def _say(connection: sqlite3.Connection, row: _Row) -> _Row:
        """Returns what stood there."""
        select = "SELECT epoch, incarnation, head, batch_no FROM batches WHERE batch_no = ?"
        (before,) = connection.execute(select, row[-1:]).fetchall() or [row]
        connection.execute("UPDATE batches SET epoch = ?, incarnation = ?, head = ? WHERE batch_no = ?", row)
        connection.commit()
        return before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _believed(write: BatchWrite) -> _Row:
    batch, events = write.batch, write.events
    return batch.epoch, batch.incarnation, events[0].sequence - 1 if events else write.header.head, batch.number


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


def never_journalled(tools: Workshop) -> None:
    """The executor knows its starts, but does not write down what it accepts, nor how that ends."""
    tools.replica.journal.calls = _Blank()


class _Blank(dict[str, tuple[str, Ending | None]]):
    def __setitem__(self, key: str, value: tuple[str, Ending | None]) -> None:
        pass


def answer_first(world: World) -> None:
    """Callers get their answer before what they asked for is committed."""
    record = world.engine.recorder.record

    def hasty(recording: Recording) -> None:
        record(_at_once(recording) if recording.unknown is not None else recording)

    world.engine.recorder.record = hasty


def _at_once(recording: Recording) -> Recording:
    """Does at once what was to follow the commit."""
    if recording.then is not None:
        recording.then()
    return Recording(recording.changes, None, recording.lost)
