"""ListBatches: newest first. A page looks at so many batches, and counts so many proposals, and no more."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from sqlalchemy import Connection, select

from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.adapters.store.reading.batches import views
from orchestrator_svc.adapters.store.reading.filters import carries, starts_with, unindexed
from orchestrator_svc.adapters.store.reading.views import PLACES
from orchestrator_svc.adapters.store.tables import UNFINISHED, batches
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.views import BatchFilter, BatchPage

LOOKED_AT = 5_000
"""Batches that a page looks at: about."""
COUNTED = 100_000
"""Proposals whose agents and states a page adds up: about."""
_PAGE = 500
_UNFINISHED = frozenset(state for state in BatchState if not state.finished)


def list_batches(connection: Connection, tenant: str, where: BatchFilter, before: str | None, limit: int) -> BatchPage:
    found, end = _find(connection, tenant, where, before, limit)
    totals = accumulate(row.total for row in found)
    fit = [row for row, total in zip(found, totals, strict=True) if total <= COUNTED] or found[:1]
    if len(fit) < len(found):
        end = fit[-1].id
    return BatchPage(views(connection, _whole(connection, [row.batch_no for row in fit])), end)


def _find(
    connection: Connection, tenant: str, where: BatchFilter, before: str | None, limit: int
) -> tuple[list[AnyRow], str | None]:
    """With the id below which to go on (None: that was all)."""
    found, passed = list[AnyRow](), 0
    for rows in _look(connection, tenant, where, before, limit):
        for row in rows:
            if _is_wanted(row, where):
                if len(found) == limit:
                    return found, found[-1].id
                found.append(row)
        passed += len(rows)
        if passed >= LOOKED_AT:
            return found, rows[-1].id
    return found, None


def _is_wanted(row: AnyRow, where: BatchFilter) -> bool:
    return (
        (not where.states or row.state in where.states)
        and row.id.startswith(where.id_prefix)
        and carries(row.labels, where.labels)
    )


def _look(
    connection: Connection, tenant: str, where: BatchFilter, before: str | None, limit: int
) -> Iterator[Sequence[AnyRow]]:
    columns = (batches.c.batch_no, batches.c.id, batches.c.state, batches.c.labels, batches.c.total)
    statement = select(*columns).where(batches.c.published == 1)
    if where.session_id:
        statement = statement.where(batches.c.tenant == tenant, batches.c.session_id == where.session_id)
    elif where.states and _UNFINISHED.issuperset(where.states):
        statement = statement.where(UNFINISHED, unindexed(batches.c.tenant) == tenant)
    else:
        statement = statement.where(batches.c.tenant == tenant)
    if where.id_prefix and not where.session_id:
        statement = statement.where(starts_with(batches.c.id, where.id_prefix))
    size = _PAGE if where.states or where.labels or where.id_prefix else min(limit + 1, _PAGE)
    full = True
    while full:
        older = statement if before is None else statement.where(batches.c.id < before)
        rows = connection.execute(older.order_by(batches.c.id.desc()).limit(size)).all()
        full = len(rows) == size
        if rows:
            before = rows[-1].id
            yield rows


def _whole(connection: Connection, numbers: Sequence[int]) -> list[AnyRow]:
    found: list[AnyRow] = []
    for start in range(0, len(numbers), PLACES):
        statement = select(batches).where(batches.c.batch_no.in_(numbers[start : start + PLACES]))
        found += connection.execute(statement.order_by(batches.c.id.desc())).all()
    return found
