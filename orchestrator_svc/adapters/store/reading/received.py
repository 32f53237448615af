"""Commands that wait for an owner, and what became of them."""

from collections.abc import Collection

from sqlalchemy import Column, Connection, Integer, Table, exists, literal_column, select, tuple_

from orchestrator_svc.adapters.store.reading.any_rows import AnyRow, AnySelect
from orchestrator_svc.adapters.store.tables import OWNED, batches, commands, inbox
from orchestrator_svc.ports.commands import CommandAnswer, CommandId, SentCommand

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


def answers(connection: Connection, asked: Collection[CommandId]) -> dict[CommandId, CommandAnswer]:
    """One statement. What was recorded with the changes counts, whatever else was said."""
    found: dict[CommandId, CommandAnswer] = {}
    refusals = _of(asked, inbox, inbox.c.refusal, done=0).where(inbox.c.refusal.is_not(None))
    for row in connection.execute(refusals.union_all(_of(asked, commands, commands.c.answer, done=1))):
        one = CommandId(row.tenant, row.id, row.request_id)
        if row.done:
            found[one] = CommandAnswer(row.said, None)
        else:
            found.setdefault(one, CommandAnswer(None, row.said))
    wanted = frozenset(asked)
    return {one: said for one, said in found.items() if one in wanted}


def _of(asked: Collection[CommandId], table: Table, said: Column[bytes], done: int) -> AnySelect:
    """All that was said to those requests by those batches: also to other commands of them."""
    columns = (
        table.c.tenant,
        batches.c.id,
        table.c.request_id,
        said.label("said"),
        literal_column(str(done), Integer).label("done"),
    )
    requests = tuple_(table.c.tenant, table.c.request_id).in_({(one.tenant, one.request_id) for one in asked})
    of_batches = tuple_(batches.c.tenant, batches.c.id).in_({(one.tenant, one.batch_id) for one in asked})
    joined = table.join(batches, batches.c.batch_no == table.c.batch_no)
    return select(*columns).select_from(joined).where(requests, of_batches, batches.c.published == 1)
