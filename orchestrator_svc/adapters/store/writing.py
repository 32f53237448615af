"""One transaction of the recorder: `apply`, the same on every database but for the guard's text.

The guard, then the new batches, then rows by the thousand. The caller begins and ends the transaction.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from orchestrator_svc.adapters.store.bulk import bulk_insert, bulk_update
from orchestrator_svc.adapters.store.creating import claim, create, publish, request_row, upsert
from orchestrator_svc.adapters.store.guard import guard
from orchestrator_svc.adapters.store.removing import remove_unpublished
from orchestrator_svc.adapters.store.rows import ADDED, MOVING, added_row, changed_row
from orchestrator_svc.adapters.store.tables import commands, frames, proposals, requests
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.ports.codec import EventCodec
from orchestrator_svc.ports.store import Committed

_ADD = bulk_insert(proposals, ADDED)
_CHANGE = bulk_update(proposals, MOVING, ("batch_no", "ordinal"))
_APPEND = bulk_insert(frames, ("batch_no", "first_sequence", "last_sequence", "tenant", "payload"))
_ANSWER = bulk_insert(commands, ("tenant", "request_id", "batch_no", "answer"))


def apply(connection: Connection, writes: Sequence[BatchWrite], codec: EventCodec, now: int) -> Committed:
    """Writes what is still the writer's to write; the rest is `lost`. Raises what the database or the codec raises."""
    committed = Committed()
    old = [write for write in writes if not write.created]
    new = [write for write in writes if write.created]
    owned = guard(connection, old) if old else set[int]()
    committed.lost = {write.batch.id for write in old if write.batch.number not in owned}
    claiming = [write for write in writes if _claims(write) and write.batch.id not in committed.lost]
    refused = claim(connection, claiming, now)
    if refused:
        committed.lost |= refused
        remove_unpublished(connection, [write.batch.number for write in old if write.batch.id in refused])
    new = [write for write in new if write.batch.id not in committed.lost]
    if new:
        committed.created = create(connection, new)
    kept = [write for write in writes if write.batch.id not in committed.lost]
    publish(connection, [write.batch.number for write in kept if write.publish and not write.created])
    _write_rows(connection, kept, committed, codec)
    _write_commands(connection, kept, committed, now)
    return committed


def _write_rows(connection: Connection, writes: Sequence[BatchWrite], committed: Committed, codec: EventCodec) -> None:
    added, changed, appended = list[tuple[Any, ...]](), list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for write in writes:
        batch = write.batch
        number = _number(write, committed)
        added += [added_row(number, batch, proposal, record) for proposal, record in write.added]
        changed += [changed_row(number, record) for record in write.records.values()]
        stored = codec.encode(batch.id, write.events)
        committed.frames[batch.id] = stored
        appended += [(number, first, last, batch.tenant, payload) for first, last, payload in stored]
    _ADD.run(connection, added)
    _CHANGE.run(connection, changed)
    _APPEND.run(connection, appended)


def _write_commands(connection: Connection, writes: Sequence[BatchWrite], committed: Committed, now: int) -> None:
    """The answers; and the requests, but for those that `claim` wrote or an earlier command of them."""
    later = {
        (write.batch.tenant, command.request_id): request_row(write.batch.tenant, command, now)
        for write in writes
        for command in write.commands[1 if _claims(write) else 0 :]
    }
    if later:
        connection.execute(upsert(connection, requests).on_conflict_do_nothing(), list(later.values()))
    rows = [
        (write.batch.tenant, command.request_id, _number(write, committed), command.answer)
        for write in writes
        for command in write.commands
    ]
    _ANSWER.run(connection, rows)


def _claims(write: BatchWrite) -> bool:
    """Whether its first command is the one that makes the batch."""
    return write.created or write.publish


def _number(write: BatchWrite, committed: Committed) -> int:
    return committed.created[write.batch.id][0] if write.created else write.batch.number
