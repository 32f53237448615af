"""Proposals as they are looked for: one, the approvers' inbox, what a user's next turn confirms."""

from sqlalchemy import Connection, and_, case, or_, select, tuple_

from orchestrator_svc.adapters.store.reading.any_rows import AnySelect
from orchestrator_svc.adapters.store.reading.filters import FAR_FUTURE, has_label
from orchestrator_svc.adapters.store.reading.joined import COLUMNS, OF_BATCHES
from orchestrator_svc.adapters.store.reading.times import with_record_times
from orchestrator_svc.adapters.store.reading.views import proposal_views
from orchestrator_svc.adapters.store.tables import EXPIRED, PENDING, UNFINISHED, batches, proposals, standings
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import SoftCandidate
from orchestrator_svc.ports.views import ProposalCursor, ProposalFilter, ProposalView

_OF_UNFINISHED = frozenset({ProposalState.PROPOSED, ProposalState.APPROVED, ProposalState.RUNNING})
_DUE = case((standings.c.expire_time == 0, FAR_FUTURE), else_=standings.c.expire_time)
_SELECT = (
    select(*COLUMNS, batches.c.id.label("batch_id"), batches.c.session_id)
    .select_from(OF_BATCHES)
    .where(batches.c.published == 1)
)


def get_proposal(connection: Connection, tenant: str, batch_id: str, key: str) -> ProposalView | None:
    statement = _SELECT.where(batches.c.tenant == tenant, batches.c.id == batch_id, proposals.c.key == key)
    row = connection.execute(statement).first()
    if row is None:
        return None
    views = proposal_views(connection, [row])
    with_record_times(connection, row.batch_no, views)
    return views[0]


def list_proposals(
    connection: Connection, tenant: str, where: ProposalFilter, after: ProposalCursor | None, limit: int
) -> list[ProposalView]:
    statement = _matching(connection, tenant, where)
    if after is not None:
        statement = statement.where(tuple_(_DUE, proposals.c.batch_no, proposals.c.ordinal) > tuple_(*after))
    statement = statement.order_by(_DUE, proposals.c.batch_no, proposals.c.ordinal).limit(limit)
    return proposal_views(connection, connection.execute(statement).all())


def _matching(connection: Connection, tenant: str, where: ProposalFilter) -> AnySelect:
    statement = _SELECT.where(batches.c.tenant == tenant)
    if not where.states:
        pending = and_(PENDING, standings.c.state == int(ProposalState.PROPOSED), standings.c.asked_time != 0)
        statement = statement.where(pending)
    else:
        statement = statement.where(standings.c.state.in_([int(state) for state in where.states]))
        if _OF_UNFINISHED.issuperset(where.states):
            statement = statement.where(UNFINISHED)
    if where.tiers:
        statement = statement.where(proposals.c.tier.in_([int(tier) for tier in where.tiers]))
    for column, value in (
        (batches.c.session_id, where.session_id),
        (batches.c.id, where.batch_id),
        (proposals.c.agent, where.agent),
        (proposals.c.tool, where.tool),
    ):
        if value:
            statement = statement.where(column == value)
    for key, value in where.labels:
        statement = statement.where(has_label(connection.dialect, proposals.c.labels, key, value))
    return statement


def soft_candidates(connection: Connection, tenant: str, session_id: str, expired_since: int) -> list[SoftCandidate]:
    """Pending and lately expired ones lie in batches of two indexes, so they are two queries in one."""
    pending = and_(PENDING, standings.c.state == int(ProposalState.PROPOSED), standings.c.asked_time != 0)
    expired = and_(
        EXPIRED,
        or_(batches.c.finish_time.is_(None), batches.c.finish_time >= expired_since),
        standings.c.state == int(ProposalState.EXPIRED),
        standings.c.finish_time >= expired_since,
    )
    both = _soft(tenant, session_id).where(pending).union_all(_soft(tenant, session_id).where(expired)).subquery()
    statement = select(both).order_by(both.c.batch_no, both.c.ordinal)
    return [
        SoftCandidate(
            row.batch_id,
            row.batch_no,
            row.session_no,
            row.ordinal,
            row.key,
            row.agent,
            ProposalState(row.state),
            row.added_sequence,
            row.asked_time,
        )
        for row in connection.execute(statement)
    ]


def _soft(tenant: str, session_id: str) -> AnySelect:
    return (
        select(
            batches.c.id.label("batch_id"),
            batches.c.batch_no,
            batches.c.session_no,
            proposals.c.ordinal,
            proposals.c.key,
            proposals.c.agent,
            standings.c.state,
            proposals.c.added_sequence,
            standings.c.asked_time,
        )
        .select_from(OF_BATCHES)
        .where(
            batches.c.tenant == tenant,
            batches.c.session_id == session_id,
            batches.c.published == 1,
            proposals.c.tier == int(Tier.SOFT),
        )
    )
