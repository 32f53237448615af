"""Batches as the engine works on them: with every proposal, from one snapshot."""

import logging
from collections.abc import Mapping, Sequence
from itertools import groupby

from sqlalchemy import Connection, select

from orchestrator_svc.adapters.store.hydration import attach
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.adapters.store.reading.joined import COLUMNS, PROPOSALS, of_batches
from orchestrator_svc.adapters.store.reading.rows import read_batch, read_proposal
from orchestrator_svc.adapters.store.tables import batches, proposals
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.binding import ArgumentsJudge

PAGE_BATCHES = 64
PAGE_PROPOSALS = 2_000

_log = logging.getLogger(__name__)


def batch_row(connection: Connection, tenant: str, batch_id: str) -> AnyRow | None:
    statement = select(batches).where(batches.c.tenant == tenant, batches.c.id == batch_id, batches.c.published == 1)
    return connection.execute(statement).first()


def load_taken(
    connection: Connection, taken: Mapping[int, int], incarnation: str, judge: ArgumentsJudge
) -> list[Batch]:
    """`taken`: number -> epoch. Those that are still so, by when they were due.

    One whose rows make no sense stays taken: it holds up no other, and a command to it says what is wrong.
    """
    statement = select(batches).where(batches.c.batch_no.in_(taken), batches.c.incarnation == incarnation)
    rows = connection.execute(statement.order_by(batches.c.wake_time, batches.c.batch_no)).all()
    rows = [row for row in rows if row.epoch == taken[row.batch_no]]
    found = _rows_of_proposals(connection, [row.batch_no for row in rows])
    loaded: list[Batch] = []
    for row in rows:
        try:
            loaded.append(_read(row, found.get(row.batch_no, []), judge))
        except MemoryError:
            raise  # of the process, not of the batch: all of them are handed out another time
        except Exception:
            _log.exception("batch %s cannot be read: it is left as it is on record", row.id)
    return loaded


def load(connection: Connection, tenant: str, batch_id: str, judge: ArgumentsJudge) -> Batch | None:
    row = batch_row(connection, tenant, batch_id)
    return _load(connection, row, judge) if row is not None else None


def _load(connection: Connection, row: AnyRow, judge: ArgumentsJudge) -> Batch:
    found = _rows_of_proposals(connection, [row.batch_no])
    return _read(row, found.get(row.batch_no, []), judge)


def _read(row: AnyRow, of_batch: Sequence[AnyRow], judge: ArgumentsJudge) -> Batch:
    keys = {one.ordinal: one.key for one in of_batch}
    return attach(read_batch(row, judge), [read_proposal(one, keys) for one in of_batch])


def _rows_of_proposals(connection: Connection, numbers: Sequence[int]) -> dict[int, list[AnyRow]]:
    statement = select(*COLUMNS).select_from(PROPOSALS).where(of_batches(connection, numbers))
    rows = connection.execute(statement.order_by(proposals.c.batch_no, proposals.c.ordinal)).all()
    return {number: list(group) for number, group in groupby(rows, lambda row: row.batch_no)}
