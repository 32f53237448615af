"""ListProposals: what waits for a decision by its own index, the rest by batch id and ordinal.

A page looks at so many rows and no more, however few of them match, so that no list reads a tenant's whole history:
what a query cannot bound by itself (the inbox's filters, labels) is found out here, over columns that are narrow.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, literal, not_, select, tuple_

from orchestrator_svc.adapters.store.budgets import fitting
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow, AnySelect
from orchestrator_svc.adapters.store.reading.filters import carries, unindexed
from orchestrator_svc.adapters.store.reading.joined import COLUMNS, OF_BATCHES, PROPOSALS, SIZE, chosen, of_batches
from orchestrator_svc.adapters.store.reading.views import PLACES, proposal_views
from orchestrator_svc.adapters.store.tables import ASKED, PENDING, UNFINISHED, batches, proposals, standings
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.ports.views import NEVER, ProposalCursor, ProposalFilter, ProposalPage

LOOKED_AT = 10_000
"""Rows that a page looks at: about."""
_PAGE = 1_000
_HELD = 5_000
"""Proposals of the batches that are looked into at once: about."""
_LAST_ORDINAL = 1 << 31
_OF_UNFINISHED = frozenset({ProposalState.PROPOSED, ProposalState.APPROVED, ProposalState.RUNNING})
_KEY = (standings.c.batch_no, standings.c.ordinal)
_NARROW = (*_KEY, SIZE, proposals.c.tier, proposals.c.agent, proposals.c.tool, proposals.c.labels)


class _Looked(NamedTuple):
    """Rows that may match, how many were passed for them, and behind which place to go on."""

    rows: Sequence[AnyRow]
    passed: int
    end: ProposalCursor


def list_proposals(
    connection: Connection,
    tenant: str,
    where: ProposalFilter,
    after: ProposalCursor | None,
    limit: int,
    limit_bytes: int,
) -> ProposalPage:
    found, end = _find(connection, tenant, where, after or ProposalCursor(0, "", -1), limit)
    fit = fitting([row.size for row in found[:limit]], limit_bytes)
    views = proposal_views(connection, _whole(connection, [(row.batch_no, row.ordinal) for row in found[:fit]]))
    if fit < len(found):
        end = ProposalCursor(found[fit - 1].due, views[-1].batch_id, found[fit - 1].ordinal)
    return ProposalPage(views, end)


def _find(
    connection: Connection, tenant: str, where: ProposalFilter, after: ProposalCursor, limit: int
) -> tuple[list[AnyRow], ProposalCursor | None]:
    """With one more than `limit` where there are more."""
    found, passed = list[AnyRow](), 0
    for looked in _look(connection, tenant, where, after, limit):
        for row in looked.rows:
            if _is_wanted(row, where):
                found.append(row)
                if len(found) > limit:
                    return found, None
        passed += looked.passed
        if passed >= LOOKED_AT:
            return found, looked.end
    return found, None


def _look(
    connection: Connection, tenant: str, where: ProposalFilter, after: ProposalCursor, limit: int
) -> Iterator[_Looked]:
    by_row = bool(where.tiers or where.agent or where.tool or where.labels)
    size = _PAGE if by_row else min(limit + 1, _PAGE)
    if after.expire_time < NEVER and (not where.states or ProposalState.PROPOSED in where.states):
        yield from _asked(connection, tenant, where, after, size)
    if where.states:
        start = (after.batch_id, after.ordinal) if after.expire_time >= NEVER else ("", -1)
        yield from _others(connection, tenant, where, start, None if where.labels else limit + 1)


def _is_wanted(row: AnyRow, where: ProposalFilter) -> bool:
    return (
        (not where.tiers or row.tier in where.tiers)
        and where.agent in ("", row.agent)
        and where.tool in ("", row.tool)
        and carries(row.labels, where.labels)
    )


def _asked(
    connection: Connection, tenant: str, where: ProposalFilter, after: ProposalCursor, size: int
) -> Iterator[_Looked]:
    """Of a session or a batch: through its batches, which are few; of a tenant: by the index, where batches of which
    something expires at the very same time follow each other as their rows do."""
    place = (standings.c.expire_time, *_KEY)
    columns = (standings.c.expire_time.label("due"), batches.c.id.label("batch_id"), *_NARROW)
    statement = select(*columns).select_from(OF_BATCHES)
    statement = statement.where(ASKED, batches.c.published == 1)
    if where.session_id or where.batch_id:
        statement = _of(statement, where).where(batches.c.tenant == tenant, PENDING)
    else:
        statement = statement.where(standings.c.tenant == tenant)
    start, full = (after.expire_time, _number(connection, tenant, after.batch_id), after.ordinal), True
    while full:
        page = statement.where(tuple_(*place) > tuple_(*start)).order_by(*place).limit(size)
        rows = connection.execute(page).all()
        full = len(rows) == size
        if rows:
            last = rows[-1]
            start = (last.due, last.batch_no, last.ordinal)
            yield _Looked(rows, len(rows), ProposalCursor(last.due, last.batch_id, last.ordinal))


def _number(connection: Connection, tenant: str, batch_id: str) -> int:
    """0: there is none."""
    if not batch_id:
        return 0
    statement = select(batches.c.batch_no).where(batches.c.tenant == tenant, batches.c.id == batch_id)
    return connection.execute(statement).scalar() or 0


def _others(
    connection: Connection, tenant: str, where: ProposalFilter, start: tuple[str, int], limit: int | None
) -> Iterator[_Looked]:
    """By batch id and ordinal, from behind `start` on; those without a proposal in these states are passed by their
    counts."""
    states = [int(state) for state in where.states]
    statement = select(literal(NEVER).label("due"), *_NARROW).select_from(PROPOSALS)
    statement = statement.where(standings.c.state.in_(states), not_(ASKED), *_filters(where))
    statement = statement.order_by(*_KEY).limit(limit)
    while page := _batches(connection, tenant, where, start):
        holding = [row for row in page if any(orjson.loads(row.counts)[state] for state in states)]
        totals = list(accumulate(row.total for row in holding))
        if totals and totals[-1] > _HELD:
            holding = [row for row, total in zip(holding, totals, strict=True) if total <= _HELD] or holding[:1]
            page = [row for row in page if row.id <= holding[-1].id]
        rows: list[AnyRow] = []
        for some in _rising(holding):
            of_these = statement.where(of_batches(connection, [row.batch_no for row in some]))
            if some[0].id == start[0]:
                of_these = of_these.where(tuple_(*_KEY) > tuple_(some[0].batch_no, start[1]))
            rows += connection.execute(of_these).all()
        start, passed = (page[-1].id, _LAST_ORDINAL), len(page) + sum(row.total for row in holding)
        yield _Looked(rows, passed, ProposalCursor(NEVER, *start))


def _rising(rows: Sequence[AnyRow]) -> Iterator[Sequence[AnyRow]]:
    """In parts whose numbers grow as their ids do: those of one orchestrator's batches do."""
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end].batch_no < rows[end - 1].batch_no:
            yield rows[start:end]
            start = end


def _filters(where: ProposalFilter) -> Iterator[ColumnElement[bool]]:
    """Those that the database may apply, where what it looks at is bounded otherwise."""
    if where.tiers:
        yield proposals.c.tier.in_([int(tier) for tier in where.tiers])
    if where.agent:
        yield proposals.c.agent == where.agent
    if where.tool:
        yield proposals.c.tool == where.tool


def _batches(connection: Connection, tenant: str, where: ProposalFilter, start: tuple[str, int]) -> Sequence[AnyRow]:
    """The next ones by id; that of `start` too, if something of it may come behind."""
    id_, ordinal = start
    statement = select(batches.c.batch_no, batches.c.id, batches.c.total, batches.c.counts)
    statement = _of(statement, where).where(batches.c.published == 1)
    statement = statement.where(batches.c.id > id_ if ordinal == _LAST_ORDINAL else batches.c.id >= id_)
    if _OF_UNFINISHED.issuperset(where.states) and not where.session_id and not where.batch_id:
        statement = statement.where(UNFINISHED, unindexed(batches.c.tenant) == tenant)
    else:
        statement = statement.where(batches.c.tenant == tenant)
    return connection.execute(statement.order_by(batches.c.id).limit(PLACES)).all()


def _of(statement: AnySelect, where: ProposalFilter) -> AnySelect:
    if where.session_id:
        statement = statement.where(batches.c.session_id == where.session_id)
    return statement.where(batches.c.id == where.batch_id) if where.batch_id else statement


def _whole(connection: Connection, keys: Sequence[tuple[int, int]]) -> list[AnyRow]:
    """In the order of the keys."""
    found: dict[tuple[int, int], AnyRow] = {}
    columns = select(*COLUMNS, batches.c.id.label("batch_id"), batches.c.session_id)
    for start in range(0, len(keys), PLACES):
        statement = columns.select_from(chosen(keys[start : start + PLACES]))
        found.update(((row.batch_no, row.ordinal), row) for row in connection.execute(statement))
    return [found[key] for key in keys]
