"""Sessions, with what happens in them."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, tuple_

from orchestrator_svc.adapters.store.documents import read_map
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow, AnySelect
from orchestrator_svc.adapters.store.reading.filters import unindexed
from orchestrator_svc.adapters.store.tables import PENDING, UNFINISHED, batches, sessions
from orchestrator_svc.ports.store import Session, SessionStatistics


def get_session(connection: Connection, tenant: str, session_id: str) -> tuple[Session, SessionStatistics] | None:
    statement = select(sessions).where(sessions.c.tenant == tenant, sessions.c.id == session_id)
    found = _with_statistics(connection, tenant, connection.execute(statement).all())
    return found[0] if found else None


def list_sessions(
    connection: Connection, tenant: str, before: tuple[int, str] | None, limit: int
) -> list[tuple[Session, SessionStatistics]]:
    statement = select(sessions).where(sessions.c.tenant == tenant)
    if before is not None:
        statement = statement.where(tuple_(sessions.c.create_time, sessions.c.id) < tuple_(*before))
    statement = statement.order_by(sessions.c.create_time.desc(), sessions.c.id.desc()).limit(limit)
    return _with_statistics(connection, tenant, connection.execute(statement).all())


def _with_statistics(
    connection: Connection, tenant: str, rows: Sequence[AnyRow]
) -> list[tuple[Session, SessionStatistics]]:
    """What is unfinished or asked for is counted where it stands, in indexes that have only that."""
    ids = [row.id for row in rows]
    unfinished = select(batches.c.session_id, func.count().label("number")).where(
        UNFINISHED, unindexed(batches.c.tenant) == tenant
    )
    asked = select(batches.c.session_id, func.sum(batches.c.asked).label("number")).where(
        PENDING, batches.c.tenant == tenant
    )
    of_unfinished, of_asked = (_numbers(connection, statement, ids) for statement in (unfinished, asked))
    return [
        (
            _session(row),
            SessionStatistics(
                row.batch_count, of_unfinished.get(row.id, 0), row.proposal_count, of_asked.get(row.id, 0)
            ),
        )
        for row in rows
    ]


def _numbers(connection: Connection, statement: AnySelect, ids: Sequence[str]) -> dict[str, int]:
    """By session."""
    of_these = statement.where(batches.c.session_id.in_(ids), batches.c.published == 1)
    return {row.session_id: row.number for row in connection.execute(of_these.group_by(batches.c.session_id))}


def _session(row: AnyRow) -> Session:
    return Session(
        id=row.id,
        tenant=row.tenant,
        title=row.title,
        context=row.context,
        labels=read_map(row.labels),
        revision=row.revision,
        create_time=row.create_time,
        update_time=row.update_time,
    )
