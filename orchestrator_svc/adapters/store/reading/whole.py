"""Batches as the engine works on them: with every proposal, from one snapshot."""

from collections.abc import Sequence
from functools import partial
from itertools import accumulate, groupby

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator_svc.adapters.store.hydration import attach
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.adapters.store.reading.joined import COLUMNS, PROPOSALS
from orchestrator_svc.adapters.store.reading.rows import read_batch, read_proposal
from orchestrator_svc.adapters.store.reading.slices import mapped
from orchestrator_svc.adapters.store.tables import UNFINISHED, batches, proposals
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.binding import ArgumentsJudge
from orchestrator_svc.domain.proposal import Proposal

PAGE_BATCHES = 64
PAGE_PROPOSALS = 2_000


async def batch_row(connection: AsyncConnection, tenant: str, batch_id: str) -> AnyRow | None:
    statement = select(batches).where(batches.c.tenant == tenant, batches.c.id == batch_id, batches.c.published == 1)
    return (await connection.execute(statement)).first()


async def unfinished_after(connection: AsyncConnection, number: int, judge: ArgumentsJudge) -> list[Batch]:
    """The next ones by number: a few, or one that is large."""
    statement = select(batches).where(UNFINISHED, batches.c.published == 1, batches.c.batch_no > number)
    rows = (await connection.execute(statement.order_by(batches.c.batch_no).limit(PAGE_BATCHES))).all()
    totals = accumulate(row.total for row in rows)
    page = [row for row, total in zip(rows, totals, strict=True) if total <= PAGE_PROPOSALS] or rows[:1]
    found = await _proposals(connection, [row.batch_no for row in page])
    return [attach(read_batch(row, judge), found.get(row.batch_no, [])) for row in page]


async def load(connection: AsyncConnection, tenant: str, batch_id: str, judge: ArgumentsJudge) -> Batch | None:
    row = await batch_row(connection, tenant, batch_id)
    return await _load(connection, row, judge) if row is not None else None


async def _load(connection: AsyncConnection, row: AnyRow, judge: ArgumentsJudge) -> Batch:
    found = await _proposals(connection, [row.batch_no])
    return attach(read_batch(row, judge), found.get(row.batch_no, []))


async def _proposals(connection: AsyncConnection, numbers: Sequence[int]) -> dict[int, list[Proposal]]:
    statement = select(*COLUMNS).select_from(PROPOSALS).where(proposals.c.batch_no.in_(numbers))
    rows = (await connection.execute(statement.order_by(proposals.c.batch_no, proposals.c.ordinal))).all()
    found: dict[int, list[Proposal]] = {}
    for number, group in groupby(rows, lambda row: row.batch_no):
        of_batch = list(group)
        keys = {row.ordinal: row.key for row in of_batch}
        found[number] = await mapped(partial(read_proposal, keys=keys), of_batch)
    return found
