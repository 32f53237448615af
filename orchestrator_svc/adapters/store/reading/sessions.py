"""Sessions, with what happens in them."""

from collections.abc import Sequence

from sqlalchemy import Connection, case, func, select, tuple_

from orchestrator_svc.adapters.store.documents import read_map
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.adapters.store.tables import UNFINISHED, batches, sessions
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
    statement = (
        select(
            batches.c.session_id,
            func.count().label("batches"),
            func.sum(case((UNFINISHED, 1), else_=0)).label("unfinished"),
            func.sum(batches.c.total).label("proposals"),
            func.sum(batches.c.asked).label("asked"),
        )
        .where(batches.c.tenant == tenant, batches.c.session_id.in_([row.id for row in rows]))
        .where(batches.c.published == 1)
        .group_by(batches.c.session_id)
    )
    found = {
        row.session_id: SessionStatistics(row.batches, row.unfinished, row.proposals, row.asked)
        for row in connection.execute(statement)
    }
    nothing = SessionStatistics(0, 0, 0, 0)
    return [(_session(row), found.get(row.id, nothing)) for row in rows]


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
