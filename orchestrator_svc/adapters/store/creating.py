"""What a new batch needs before its proposals: its request claimed, its session, its number."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Table, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator_svc.adapters.store.documents import write_map
from orchestrator_svc.adapters.store.tables import batches, requests, sessions
from orchestrator_svc.domain.changes import BatchWrite, CommandRecord
from orchestrator_svc.domain.proposal import ProposalState


def upsert(connection: Connection, table: Table) -> Any:
    """An INSERT that can say ON CONFLICT: SQLAlchemy has one a dialect, with the same methods."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def request_row(tenant: str, command: CommandRecord, now: int) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "request_id": command.request_id,
        "kind": command.kind,
        "payload_hash": command.payload_hash,
        "chosen": b"",
        "create_time": now,
    }


def claim(connection: Connection, writes: Sequence[BatchWrite], now: int) -> set[str]:
    """Remembers the requests that the new batches are made by; returns the batches whose request was there already."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    claimants: dict[str, tuple[str, str]] = {}
    taken: set[str] = set()
    for write in writes:
        if write.commands:
            key = (write.batch.tenant, write.commands[0].request_id)
            if key in rows:
                taken.add(write.batch.id)
                continue
            rows[key] = request_row(write.batch.tenant, write.commands[0], now)
            claimants[write.batch.id] = key
    if not rows:
        return taken
    statement = upsert(connection, requests).on_conflict_do_nothing()
    statement = statement.returning(requests.c.tenant, requests.c.request_id)
    new = {tuple(row) for row in connection.execute(statement, list(rows.values()))}
    return taken | {batch_id for batch_id, key in claimants.items() if key not in new}


def create(connection: Connection, writes: Sequence[BatchWrite]) -> dict[str, tuple[int, int]]:
    """Inserts batches, unpublished unless the write publishes. Returns batch id -> (number, session number)."""
    session_nos = _session_numbers(connection, writes)
    rows = [_batch_row(write, session_nos[write.batch.id]) for write in writes]
    statement = insert(batches).returning(batches.c.batch_no, batches.c.id)
    numbers = {batch_id: number for number, batch_id in connection.execute(statement, rows)}
    return {batch_id: (numbers[batch_id], session_nos[batch_id]) for batch_id in numbers}


def publish(connection: Connection, numbers: Sequence[int]) -> None:
    """The last part of a large submission is there."""
    if numbers:
        connection.execute(update(batches).where(batches.c.batch_no.in_(numbers)).values(published=1))


def _session_numbers(connection: Connection, writes: Sequence[BatchWrite]) -> dict[str, int]:
    """Each session counts its batches; one that does not exist is made."""
    by_session: dict[tuple[str, str], list[BatchWrite]] = {}
    for write in writes:
        by_session.setdefault((write.batch.tenant, write.batch.session_id), []).append(write)
    rows = [_session_row(tenant, id_, group) for (tenant, id_), group in sorted(by_session.items())]
    statement = upsert(connection, sessions)
    statement = statement.on_conflict_do_update(
        index_elements=[sessions.c.tenant, sessions.c.id],
        set_={"last_session_no": sessions.c.last_session_no + statement.excluded.last_session_no},
    ).returning(sessions.c.tenant, sessions.c.id, sessions.c.last_session_no)
    numbers: dict[str, int] = {}
    for row in connection.execute(statement, rows):
        group = by_session[row.tenant, row.id]
        for offset, write in enumerate(group):
            numbers[write.batch.id] = row.last_session_no - len(group) + 1 + offset
    return numbers


def _session_row(tenant: str, session_id: str, group: Sequence[BatchWrite]) -> dict[str, Any]:
    batch = group[0].batch
    return {
        "tenant": tenant,
        "id": session_id,
        "title": "",
        "context": batch.context,
        "labels": "",
        "revision": 1,
        "last_session_no": len(group),
        "create_time": batch.create_time,
        "update_time": batch.create_time,
    }


def _batch_row(write: BatchWrite, session_no: int) -> dict[str, Any]:
    batch, header = write.batch, write.header
    return {
        "tenant": batch.tenant,
        "id": batch.id,
        "session_id": batch.session_id,
        "session_no": session_no,
        "state": int(header.state),
        "published": int(write.publish),
        "epoch": batch.epoch,
        "incarnation": batch.incarnation,
        "head": header.head,
        "reopened_after": header.reopened_after,
        "total": sum(header.counts),
        "asked": header.asked,
        "expired": header.counts[ProposalState.EXPIRED],
        "counts": orjson.dumps(header.counts).decode(),
        "open": int(header.open),
        "cancelling": int(header.cancelling),
        "create_time": batch.create_time,
        "finish_time": header.finish_time,
        "deadline_time": header.deadline_time,
        "deadline_left": header.deadline_left,
        "deadline": batch.deadline,
        "idle_timeout": batch.idle_timeout,
        "max_in_flight": batch.max_in_flight,
        "name": batch.name,
        "labels": write_map(batch.labels),
        "template": batch.template,
        "principal": batch.principal,
        "trace_id": batch.trace_id,
        "context": batch.context,
        "request_id": write.commands[0].request_id if write.commands else "",
    }
