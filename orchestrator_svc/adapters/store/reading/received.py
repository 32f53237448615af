"""Commands that wait for an owner, and what became of them."""

from sqlalchemy import Connection, exists, select

from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.adapters.store.tables import OWNED, batches, commands, inbox
from orchestrator_svc.ports.commands import CommandAnswer, SentCommand

_OF_BATCHES = inbox.join(batches, batches.c.batch_no == inbox.c.batch_no)
_ANSWERED = exists().where(
    commands.c.tenant == inbox.c.tenant,
    commands.c.request_id == inbox.c.request_id,
    commands.c.batch_no == inbox.c.batch_no,
)


def received(connection: Connection, incarnation: str, limit: int) -> list[SentCommand]:
    """Those for batches of a start, the oldest first."""
    statement = (
        select(inbox, batches.c.id)
        .select_from(_OF_BATCHES)
        .where(OWNED, batches.c.incarnation == incarnation, inbox.c.refusal.is_(None), ~_ANSWERED)
        .order_by(inbox.c.sent_time)
        .limit(limit)
    )
    return [_command(row) for row in connection.execute(statement)]


def _command(row: AnyRow) -> SentCommand:
    return SentCommand(
        row.tenant, row.id, row.request_id, row.kind, row.payload_hash, row.arguments, row.principal, row.sender
    )


def answer(connection: Connection, tenant: str, batch_id: str, request_id: str) -> CommandAnswer | None:
    """What was recorded with the changes counts, whatever else was said."""
    batch = select(batches.c.batch_no).where(batches.c.tenant == tenant, batches.c.id == batch_id)
    number = batch.where(batches.c.published == 1).scalar_subquery()
    recorded = select(commands.c.answer).where(
        commands.c.tenant == tenant, commands.c.request_id == request_id, commands.c.batch_no == number
    )
    found = connection.execute(recorded).scalar()
    if found is not None:
        return CommandAnswer(found, None)
    refused = select(inbox.c.refusal).where(
        inbox.c.tenant == tenant, inbox.c.request_id == request_id, inbox.c.batch_no == number
    )
    refusal = connection.execute(refused).scalar()
    return CommandAnswer(None, refusal) if refusal is not None else None
