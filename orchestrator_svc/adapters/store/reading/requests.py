"""Remembered requests, with the answers of their commands."""

from sqlalchemy import Connection, select

from orchestrator_svc.adapters.store.tables import batches, commands, requests
from orchestrator_svc.ports.store import Request


def find_request(connection: Connection, tenant: str, request_id: str) -> Request | None:
    statement = select(requests).where(requests.c.tenant == tenant, requests.c.request_id == request_id)
    row = connection.execute(statement).first()
    if row is None:
        return None
    answers = (
        select(batches.c.id, commands.c.answer)
        .join_from(commands, batches, batches.c.batch_no == commands.c.batch_no)
        .where(commands.c.tenant == tenant, commands.c.request_id == request_id, batches.c.published == 1)
        .order_by(commands.c.batch_no)
    )
    found = {row.id: row.answer for row in connection.execute(answers)}
    return Request(row.request_id, row.kind, row.payload_hash, row.chosen, found)
