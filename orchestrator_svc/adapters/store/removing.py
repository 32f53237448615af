"""Submissions that nobody will publish: their writer is gone, or was refused half-way."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, select

from orchestrator_svc.adapters.store.tables import (
    UNPUBLISHED,
    batches,
    commands,
    frames,
    proposals,
    record_times,
    requests,
    standings,
)


def remove_unpublished(
    connection: Connection, numbers: Sequence[int] | None = None, *, incarnation: str | None = None
) -> None:
    """Of `numbers`, of a start, or all; with their rows and the requests that they claimed. Published ones stay."""
    statement = select(batches.c.batch_no, batches.c.tenant, batches.c.request_id).where(UNPUBLISHED)
    if numbers is not None:
        statement = statement.where(batches.c.batch_no.in_(numbers))
    if incarnation is not None:
        statement = statement.where(batches.c.incarnation == incarnation)
    for number, tenant, request_id in connection.execute(statement).all():
        if request_id:
            claimed = and_(requests.c.tenant == tenant, requests.c.request_id == request_id)
            connection.execute(delete(requests).where(claimed))
            given = and_(commands.c.tenant == tenant, commands.c.request_id == request_id)
            connection.execute(delete(commands).where(given, commands.c.batch_no == number))
        for table in (proposals, standings, frames, record_times, batches):
            connection.execute(delete(table).where(table.c.batch_no == number))
