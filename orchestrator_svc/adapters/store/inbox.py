"""The writer's transactions about commands for owners. The caller begins and ends them."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, or_, select, tuple_, update

from orchestrator_svc.adapters.store.dialects import upsert
from orchestrator_svc.adapters.store.owner_tables import inbox, incarnations
from orchestrator_svc.adapters.store.tables import batches
from orchestrator_svc.ports.commands import CommandId, SentCommand

_THIS = (
    inbox.c.tenant == bindparam("of_tenant"),
    inbox.c.request_id == bindparam("of_request"),
    inbox.c.batch_no == bindparam("of_batch"),
)


def send(connection: Connection, sent: Sequence[SentCommand], now: int) -> None:
    """For batches that are there; else nobody would ever receive them. The time says the order."""
    numbers = batch_numbers(connection, [command.id for command in sent])
    statement = upsert(connection.dialect, inbox)
    told = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=[inbox.c.tenant, inbox.c.request_id, inbox.c.batch_no],
        set_={"sender": told.sender, "sent_time": told.sent_time, "refusal": None},
    )
    rows = [
        {**_members(command), "batch_no": numbers[command.tenant, command.batch_id], "sent_time": now + place}
        for place, command in enumerate(sent)
        if (command.tenant, command.batch_id) in numbers
    ]
    if rows:
        connection.execute(statement, rows)


def _members(command: SentCommand) -> dict[str, Any]:
    return {name: value for name, value in command._asdict().items() if name != "batch_id"} | {"refusal": None}


def refuse(connection: Connection, refusals: Sequence[tuple[SentCommand, bytes]], incarnation: str) -> None:
    """By whose the batch is, or was last: nobody else has judged it."""
    numbers = batch_numbers(connection, [command.id for command, _ in refusals])
    own = exists().where(
        batches.c.batch_no == inbox.c.batch_no,
        or_(batches.c.incarnation == "", batches.c.incarnation == incarnation),
    )
    rows = [
        {
            "of_tenant": command.tenant,
            "of_request": command.request_id,
            "of_batch": numbers[command.tenant, command.batch_id],
            "said": refusal,
        }
        for command, refusal in refusals
        if (command.tenant, command.batch_id) in numbers
    ]
    if rows:
        connection.execute(update(inbox).where(*_THIS, own).values(refusal=bindparam("said")), rows)


def withdraw(connection: Connection, ids: Collection[CommandId]) -> None:
    numbers = batch_numbers(connection, ids)
    rows = [
        (one.tenant, one.request_id, numbers[one.tenant, one.batch_id])
        for one in ids
        if (one.tenant, one.batch_id) in numbers
    ]
    key = tuple_(inbox.c.tenant, inbox.c.request_id, inbox.c.batch_no)
    connection.execute(delete(inbox).where(key.in_(rows)))


def forget(connection: Connection, before: int) -> int:
    live = select(incarnations.c.id).where(incarnations.c.superseded == 0)
    return connection.execute(delete(inbox).where(inbox.c.sent_time < before, inbox.c.sender.not_in(live))).rowcount


def batch_numbers(connection: Connection, ids: Collection[CommandId]) -> dict[tuple[str, str], int]:
    """By tenant and batch id, of those that are there."""
    wanted = tuple_(batches.c.tenant, batches.c.id).in_({(one.tenant, one.batch_id) for one in ids})
    columns = (batches.c.tenant, batches.c.id, batches.c.batch_no)
    found = connection.execute(select(*columns).where(wanted, batches.c.published == 1))
    return {(row.tenant, row.id): row.batch_no for row in found}
