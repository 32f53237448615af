"""Proposals as they are looked for: one, and what a user's next turn confirms."""

from sqlalchemy import Connection, and_, or_, select

from orchestrator_svc.adapters.store.reading.any_rows import AnySelect
from orchestrator_svc.adapters.store.reading.joined import COLUMNS, OF_BATCHES
from orchestrator_svc.adapters.store.reading.times import with_record_times
from orchestrator_svc.adapters.store.reading.views import proposal_views
from orchestrator_svc.adapters.store.tables import ASKED, EXPIRED, PENDING, batches, proposals, standings
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.store import SoftCandidate
from orchestrator_svc.ports.views import ProposalView

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


def soft_candidates(connection: Connection, tenant: str, session_id: str, expired_since: int) -> list[SoftCandidate]:
    """Pending and lately expired ones lie in batches of two indexes, so they are two queries in one."""
    pending = and_(PENDING, ASKED)
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
