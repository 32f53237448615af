"""The writer's transactions about commands for owners. The caller begins and ends them."""

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, select, update

from orchestrator_svc.adapters.store.dialects import upsert
from orchestrator_svc.adapters.store.tables import batches, inbox, incarnations
from orchestrator_svc.ports.commands import SentCommand


def send(connection: Connection, command: SentCommand, now: int) -> None:
    """For a batch that is there; else nobody would ever receive it."""
    number = connection.execute(_number(command.tenant, command.batch_id)).scalar()
    if number is None:
        return
    row = {name: value for name, value in command._asdict().items() if name != "batch_id"}
    statement = upsert(connection.dialect, inbox).on_conflict_do_update(
        index_elements=[inbox.c.tenant, inbox.c.request_id, inbox.c.batch_no],
        set_={"sender": command.sender, "sent_time": now, "refusal": None},
    )
    connection.execute(statement, {**row, "batch_no": number, "sent_time": now, "refusal": None})


def refuse(connection: Connection, command: SentCommand, refusal: bytes, incarnation: str) -> None:
    """By whose the batch is, or was last: nobody else has judged it."""
    own = exists().where(batches.c.batch_no == inbox.c.batch_no, batches.c.incarnation.in_(("", incarnation)))
    mine = _which(command.tenant, command.batch_id, command.request_id)
    connection.execute(update(inbox).where(*mine, own).values(refusal=refusal))


def withdraw(connection: Connection, tenant: str, batch_id: str, request_id: str) -> None:
    connection.execute(delete(inbox).where(*_which(tenant, batch_id, request_id)))


def forget(connection: Connection, before: int) -> int:
    live = select(incarnations.c.id).where(incarnations.c.superseded == 0)
    return connection.execute(delete(inbox).where(inbox.c.sent_time < before, inbox.c.sender.not_in(live))).rowcount


def _number(tenant: str, batch_id: str) -> Select[tuple[int]]:
    published = (batches.c.tenant == tenant, batches.c.id == batch_id, batches.c.published == 1)
    return select(batches.c.batch_no).where(*published)


def _which(tenant: str, batch_id: str, request_id: str) -> tuple[ColumnElement[bool], ...]:
    number = _number(tenant, batch_id).scalar_subquery()
    return inbox.c.tenant == tenant, inbox.c.request_id == request_id, inbox.c.batch_no == number
