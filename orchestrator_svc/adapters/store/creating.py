"""New batches: their sessions, their numbers, their rows. Many at once, so that each step is one statement for all."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, select, tuple_, update

from orchestrator_svc.adapters.store.bulk import Bulk, BulkInsert, LookUp
from orchestrator_svc.adapters.store.documents import write_map
from orchestrator_svc.adapters.store.tables import batches, sessions
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.domain.proposal import ProposalState

Key = tuple[str, str]

_BATCH = BulkInsert(
    batches,
    (
        "tenant",
        "id",
        "session_id",
        "session_no",
        "state",
        "published",
        "epoch",
        "incarnation",
        "head",
        "oldest",
        "reopened_after",
        "total",
        "asked",
        "expired",
        "counts",
        "open",
        "cancelling",
        "create_time",
        "finish_time",
        "deadline_time",
        "deadline_left",
        "deadline",
        "idle_timeout",
        "max_in_flight",
        "name",
        "labels",
        "template",
        "principal",
        "trace_id",
        "trace_parent",
        "context",
        "request_id",
        "wake_time",
    ),
    wide=("labels", "context"),
)
_SESSION = BulkInsert(
    sessions,
    (
        "tenant",
        "id",
        "title",
        "context",
        "labels",
        "revision",
        "last_session_no",
        "batch_count",
        "proposal_count",
        "create_time",
        "update_time",
    ),
    "ON CONFLICT (tenant, id) DO UPDATE SET last_session_no = sessions.last_session_no + excluded.last_session_no, "
    "batch_count = sessions.batch_count + excluded.batch_count, "
    "proposal_count = sessions.proposal_count + excluded.proposal_count",
    wide=("context",),
)

_NUMBERS = LookUp(batches, ("id", "batch_no"), ("tenant", "id"))
_LAST = LookUp(sessions, ("tenant", "id", "last_session_no"), ("tenant", "id"))
_GROWN = Bulk(
    "UPDATE sessions SET batch_count = batch_count + :batch_count, proposal_count = proposal_count + :proposal_count "
    "WHERE tenant = :tenant AND id = :id "
    "AND EXISTS (SELECT 1 FROM batches WHERE batch_no = :batch_no AND published = 1)"
)


def create(connection: Connection, writes: Sequence[BatchWrite]) -> dict[str, tuple[int, int]]:
    """Inserts batches, unpublished unless the write publishes. Returns batch id -> (number, session number)."""
    session_nos = _session_numbers(connection, writes)
    _BATCH.run(connection, [_batch_row(write, session_nos[write.batch.id]) for write in writes])
    found = _NUMBERS.run(connection, [(write.batch.tenant, write.batch.id) for write in writes])
    return {batch_id: (number, session_nos[batch_id]) for batch_id, number in found}


def lock_sessions(connection: Connection, new: Sequence[BatchWrite], grown: Sequence[BatchWrite]) -> None:
    """In one order, before some are made and others grow: so no two orchestrators wait for each other in a circle."""
    moved = [write for write in grown if write.publish or write.added]
    if connection.dialect.name != "postgresql" or not (new and moved):
        return
    keys = {(write.batch.tenant, write.batch.session_id) for write in (*new, *moved)}
    found = select(sessions.c.id).where(tuple_(sessions.c.tenant, sessions.c.id).in_(sorted(keys)))
    connection.execute(found.order_by(sessions.c.tenant, sessions.c.id).with_for_update(key_share=True)).all()


def publish(connection: Connection, writes: Sequence[BatchWrite]) -> None:
    """The last part of a large submission is there."""
    numbers = [write.batch.number for write in writes if write.publish]
    if numbers:
        connection.execute(update(batches).where(batches.c.batch_no.in_(numbers)).values(published=1))


def count(connection: Connection, writes: Sequence[BatchWrite]) -> None:
    """What came to batches that were there: their sessions say how much they have, so that nobody goes through it."""
    rows = [
        (
            int(write.publish),
            sum(write.header.counts) if write.publish else len(write.added),
            write.batch.tenant,
            write.batch.session_id,
            write.batch.number,
        )
        for write in writes
        if write.publish or write.added
    ]
    _GROWN.run(connection, sorted(rows, key=lambda row: row[2:]))


def _session_numbers(connection: Connection, writes: Sequence[BatchWrite]) -> dict[str, int]:
    """Each session counts its batches; one that does not exist is made."""
    by_session: dict[Key, list[BatchWrite]] = {}
    for write in writes:
        by_session.setdefault((write.batch.tenant, write.batch.session_id), []).append(write)
    _SESSION.run(connection, [_session_row(group) for _, group in sorted(by_session.items())])
    numbers: dict[str, int] = {}
    for tenant, session_id, last in _LAST.run(connection, list(by_session)):
        group = by_session[tenant, session_id]
        first = last - len(group) + 1
        numbers.update((write.batch.id, number) for number, write in enumerate(group, first))
    return numbers


def _session_row(group: Sequence[BatchWrite]) -> tuple[Any, ...]:
    batch = group[0].batch
    return (
        batch.tenant,
        batch.session_id,
        "",
        batch.context,
        "",
        1,
        len(group),
        sum(write.publish for write in group),
        sum(sum(write.header.counts) for write in group if write.publish),
        batch.create_time,
        batch.create_time,
    )


def _batch_row(write: BatchWrite, session_no: int) -> tuple[Any, ...]:
    batch, header = write.batch, write.header
    return (
        batch.tenant,
        batch.id,
        batch.session_id,
        session_no,
        int(header.state),
        int(write.publish),
        batch.epoch,
        batch.incarnation if header.owned else "",
        header.head,
        1,
        header.reopened_after,
        sum(header.counts),
        header.asked,
        header.counts[ProposalState.EXPIRED],
        orjson.dumps(header.counts).decode(),
        int(header.open),
        int(header.cancelling),
        batch.create_time,
        header.finish_time,
        header.deadline_time,
        header.deadline_left,
        batch.deadline,
        batch.idle_timeout,
        batch.max_in_flight,
        batch.name,
        write_map(batch.labels),
        batch.template,
        batch.principal,
        batch.trace_id,
        batch.trace_parent,
        batch.context,
        write.commands[0].request_id if write.commands else "",
        header.wake_time,
    )
