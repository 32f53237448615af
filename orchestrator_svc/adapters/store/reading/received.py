"""Commands that wait for an owner, and what became of them."""

from collections.abc import Collection

from sqlalchemy import Column, Connection, FromClause, Integer, Table, and_, exists, literal_column, select, tuple_

from orchestrator_svc.adapters.store.owner_tables import inbox
from orchestrator_svc.adapters.store.reading.any_rows import AnyRow, AnySelect
from orchestrator_svc.adapters.store.tables import OWNED, batches, commands, requests
from orchestrator_svc.ports.commands import CommandAnswer, CommandId, SentCommand

_OF_BATCHES = inbox.join(batches, batches.c.batch_no == inbox.c.batch_no)
_ANSWERS = commands.join(
    requests, and_(requests.c.tenant == commands.c.tenant, requests.c.request_id == commands.c.request_id)
)
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


def answers(connection: Connection, asked: Collection[CommandId]) -> dict[CommandId, CommandAnswer]:
    """One statement. What was recorded with the changes counts, whatever else was said."""
    found: dict[CommandId, CommandAnswer] = {}
    refusals = _of(asked, inbox, inbox, inbox.c.refusal, done=0).where(inbox.c.refusal.is_not(None))
    recorded = _of(asked, _ANSWERS, requests, commands.c.answer, done=1)
    for row in connection.execute(refusals.union_all(recorded)):
        one = CommandId(row.tenant, row.id, row.request_id)
        if row.done:
            found[one] = CommandAnswer(row.said, None, row.kind, row.payload_hash)
        else:
            found.setdefault(one, CommandAnswer(None, row.said, row.kind, row.payload_hash))
    wanted = frozenset(asked)
    return {one: said for one, said in found.items() if one in wanted}


def _of(asked: Collection[CommandId], told: FromClause, request: Table, said: Column[bytes], *, done: int) -> AnySelect:
    """All that was said to those requests by those batches: also to other commands of them."""
    columns = (request.c.tenant, batches.c.id, request.c.request_id, request.c.kind, request.c.payload_hash)
    more = (said.label("said"), literal_column(str(done), Integer).label("done"))
    of_requests = tuple_(request.c.tenant, request.c.request_id).in_({(one.tenant, one.request_id) for one in asked})
    of_batches = tuple_(batches.c.tenant, batches.c.id).in_({(one.tenant, one.batch_id) for one in asked})
    joined = told.join(batches, batches.c.batch_no == said.table.c.batch_no)
    return select(*columns, *more).select_from(joined).where(of_requests, of_batches, batches.c.published == 1)
