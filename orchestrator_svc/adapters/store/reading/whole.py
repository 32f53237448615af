"""Batches as the engine works on them: with every proposal, from one snapshot."""

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
from orchestrator_svc.domain.proposal import Proposal

PAGE_BATCHES = 64
PAGE_PROPOSALS = 2_000


def batch_row(connection: Connection, tenant: str, batch_id: str) -> AnyRow | None:
    statement = select(batches).where(batches.c.tenant == tenant, batches.c.id == batch_id, batches.c.published == 1)
    return connection.execute(statement).first()


def load_taken(
    connection: Connection, taken: Mapping[int, int], incarnation: str, judge: ArgumentsJudge
) -> list[Batch]:
    """`taken`: number -> epoch. Those that are still so, by when they were due."""
    statement = select(batches).where(batches.c.batch_no.in_(taken), batches.c.incarnation == incarnation)
    rows = connection.execute(statement.order_by(batches.c.wake_time, batches.c.batch_no)).all()
    rows = [row for row in rows if row.epoch == taken[row.batch_no]]
    found = _proposals(connection, [row.batch_no for row in rows])
    return [attach(read_batch(row, judge), found.get(row.batch_no, [])) for row in rows]


def load(connection: Connection, tenant: str, batch_id: str, judge: ArgumentsJudge) -> Batch | None:
    row = batch_row(connection, tenant, batch_id)
    return _load(connection, row, judge) if row is not None else None


def _load(connection: Connection, row: AnyRow, judge: ArgumentsJudge) -> Batch:
    found = _proposals(connection, [row.batch_no])
    return attach(read_batch(row, judge), found.get(row.batch_no, []))


def _proposals(connection: Connection, numbers: Sequence[int]) -> dict[int, list[Proposal]]:
    statement = select(*COLUMNS).select_from(PROPOSALS).where(of_batches(connection, numbers))
    rows = connection.execute(statement.order_by(proposals.c.batch_no, proposals.c.ordinal)).all()
    found: dict[int, list[Proposal]] = {}
    for number, group in groupby(rows, lambda row: row.batch_no):
        of_batch = list(group)
        keys = {row.ordinal: row.key for row in of_batch}
        found[number] = [read_proposal(row, keys) for row in of_batch]
    return found
