"""Remembered requests, with the answers of their commands."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, and_, select

from orchestrator_svc.adapters.store.tables import batches, commands, requests
from orchestrator_svc.ports.store import Request


def find_request(connection: Connection, tenant: str, request_id: str) -> Request | None:
    """What most requests begin with: by `=`, as SQLAlchemy takes longer over a list than the database over the row."""
    return _find(connection, tenant, requests.c.request_id == request_id).get(request_id)


def find_requests(connection: Connection, tenant: str, request_ids: Collection[str]) -> dict[str, Request]:
    """By id."""
    return _find(connection, tenant, requests.c.request_id.in_(request_ids))


def _find(connection: Connection, tenant: str, which: ColumnElement[bool]) -> dict[str, Request]:
    """One statement, a row an answer."""
    of_request = and_(commands.c.tenant == requests.c.tenant, commands.c.request_id == requests.c.request_id)
    of_batch = and_(batches.c.batch_no == commands.c.batch_no, batches.c.published == 1)
    statement = (
        select(requests, batches.c.id, commands.c.answer)
        .select_from(requests.outerjoin(commands, of_request).outerjoin(batches, of_batch))
        .where(requests.c.tenant == tenant, which)
        .order_by(requests.c.request_id, commands.c.batch_no)
    )
    found: dict[str, Request] = {}
    for row in connection.execute(statement):
        request = found.setdefault(row.request_id, Request(row.request_id, row.kind, row.payload_hash, row.chosen, {}))
        if row.id is not None:
            request.answers[row.id] = row.answer
    return found
