"""Remembered requests, with the answers of their commands."""

from sqlalchemy import Connection, and_, select

from orchestrator_svc.adapters.store.tables import batches, commands, requests
from orchestrator_svc.ports.store import Request


def find_request(connection: Connection, tenant: str, request_id: str) -> Request | None:
    """One statement, a row an answer."""
    of_request = and_(commands.c.tenant == requests.c.tenant, commands.c.request_id == requests.c.request_id)
    of_batch = and_(batches.c.batch_no == commands.c.batch_no, batches.c.published == 1)
    statement = (
        select(requests, batches.c.id, commands.c.answer)
        .select_from(requests.outerjoin(commands, of_request).outerjoin(batches, of_batch))
        .where(requests.c.tenant == tenant, requests.c.request_id == request_id)
        .order_by(commands.c.batch_no)
    )
    rows = connection.execute(statement).all()
    if not rows:
        return None
    answers = {row.id: row.answer for row in rows if row.id is not None}
    return Request(rows[0].request_id, rows[0].kind, rows[0].payload_hash, rows[0].chosen, answers)
