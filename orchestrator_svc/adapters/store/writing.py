"""One transaction of the recorder: `apply`, the same on every database but for the guard's text.

The guard, then the new batches, then rows by the thousand. The caller begins and ends the transaction.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from orchestrator_svc.adapters.store.bulk import BulkInsert, BulkUpsert
from orchestrator_svc.adapters.store.creating import count, create, lock_sessions, publish
from orchestrator_svc.adapters.store.dialects import can_copy, remove_many
from orchestrator_svc.adapters.store.guard import guard
from orchestrator_svc.adapters.store.positions import keep_positions
from orchestrator_svc.adapters.store.remembering import claim, remember
from orchestrator_svc.adapters.store.removing import remove_unpublished
from orchestrator_svc.adapters.store.rows import MOVING, OF_PROPOSAL, PROPOSED, proposed_row, standing_row
from orchestrator_svc.adapters.store.tables import frames, proposals, standings
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.ports.codec import EventCodec, StoredFrame
from orchestrator_svc.ports.store import Committed

_ADD = BulkInsert(proposals, PROPOSED, wide=("labels", "title", "rationale", "proposed_arguments"))
_COLUMNS = (*MOVING, *OF_PROPOSAL, "tenant")
_WIDE = ("edited_arguments", "bound_arguments", "decisions", "attempts", "failure", "result")
_STAND = BulkInsert(standings, _COLUMNS, wide=_WIDE)
_MOVE = BulkUpsert(standings, _COLUMNS, OF_PROPOSAL, wide=_WIDE)
_APPEND = BulkInsert(frames, ("batch_no", "first_sequence", "last_sequence", "tenant", "payload"), wide=("payload",))
_KEY = {"batch_no": "bigint", "ordinal": "integer"}
_Rows = list[tuple[Any, ...]]


def apply(connection: Connection, writes: Sequence[BatchWrite], codec: EventCodec, now: int) -> Committed:
    """Writes what is still the writer's to write; the rest is `lost`. Raises what the database or the codec raises."""
    old = [write for write in writes if not write.created]
    owned = guard(connection, old) if old else set[int]()
    lost = {write.batch.id for write in old if write.batch.number not in owned}
    refused = claim(connection, [write for write in writes if write.batch.id not in lost], now)
    if refused:
        remove_unpublished(connection, [write.batch.number for write in old if write.batch.id in refused])
        lost |= refused
    kept = [write for write in writes if write.batch.id not in lost]
    new = [write for write in kept if write.created]
    grown = [write for write in kept if not write.created]
    lock_sessions(connection, new, grown)
    created = create(connection, new) if new else {}
    publish(connection, grown)
    count(connection, grown)
    numbered = [(write, created[write.batch.id][0] if write.created else write.batch.number) for write in kept]
    stored = _write_rows(connection, numbered, codec)
    remember(connection, numbered, now)
    keep_positions(connection, kept)
    return Committed(lost, frames=stored, created=created)


def _write_rows(
    connection: Connection, writes: Sequence[tuple[BatchWrite, int]], codec: EventCodec
) -> dict[str, list[StoredFrame]]:
    added, standing, moved, appended = _Rows(), _Rows(), _Rows(), _Rows()
    stored: dict[str, list[StoredFrame]] = {}
    for write, number in writes:
        batch = write.batch
        for proposal, record in write.added:
            added.append(proposed_row(number, batch, proposal, record))
            standing.append((*standing_row(number, record), batch.tenant))
        moved += [(*standing_row(number, record), batch.tenant) for record in write.records.values()]
        encoded = stored[batch.id] = codec.encode(batch.id, write.events)
        appended += [(number, first, last, batch.tenant, payload) for first, last, payload in encoded]
    _ADD.run(connection, added)
    _STAND.run(connection, standing)
    _move(connection, moved)
    _APPEND.run(connection, appended)
    return stored


def _move(connection: Connection, rows: _Rows) -> None:
    """They are there, by the guard. Where many can be copied, they go and come anew: half of what as many UPDATEs cost
    the server."""
    if can_copy(connection.dialect, rows):
        remove_many(connection, standings, _KEY, [row[-3:-1] for row in rows])
        _STAND.run(connection, rows)
    else:
        _MOVE.run(connection, rows)
