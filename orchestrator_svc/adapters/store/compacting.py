"""Old events go: the frames of batches that finished long ago, oldest first, in short transactions.

The rows of batch and proposals stay, with their decisions and answers; `oldest` says from where on there are events.
"""

from sqlalchemy import Connection, delete, func, select, update

from orchestrator_svc.adapters.store.reading.any_rows import AnySelect
from orchestrator_svc.adapters.store.reading.filters import unindexed
from orchestrator_svc.adapters.store.tables import COMPACTABLE, batches, frames, record_times
from orchestrator_svc.ports.store import SLICE_BYTES, SLICE_FRAMES, Compaction

_BATCHES = 64


def compactable(connection: Connection, tenant: str | None, before: int) -> Compaction:
    """What is there to be compacted."""
    events = func.coalesce(func.sum(batches.c.head - batches.c.oldest + 1), 0)
    row = connection.execute(_old(select(func.count(), events), tenant, before)).one()
    return Compaction(row[0], int(row[1]), more=False)


def compact(connection: Connection, tenant: str | None, before: int) -> Compaction:
    """One slice. A batch that goes on meanwhile keeps what is new of it: its row is locked, its head stays. One that
    somebody else has locked is left for another time."""
    chosen = _old(select(batches.c.batch_no, batches.c.head, batches.c.oldest), tenant, before)
    rows = connection.execute(
        chosen.order_by(batches.c.finish_time).limit(_BATCHES).with_for_update(skip_locked=True)
    ).all()
    done = events = taken = size = 0
    for row in rows:
        through, number, length = _some(connection, row.batch_no, SLICE_FRAMES - taken, SLICE_BYTES - size)
        through = row.head if through is None else through
        _forget(connection, row.batch_no, through)
        taken, size, events = taken + number, size + length, events + through + 1 - row.oldest
        done += through == row.head
        if taken >= SLICE_FRAMES or size >= SLICE_BYTES:
            return Compaction(done, events, more=True)
    return Compaction(done, events, more=len(rows) == _BATCHES)


def _old(statement: AnySelect, tenant: str | None, before: int) -> AnySelect:
    statement = statement.where(COMPACTABLE, batches.c.finish_time < before)
    return statement.where(unindexed(batches.c.tenant) == tenant) if tenant is not None else statement


def _some(connection: Connection, number: int, limit: int, limit_bytes: int) -> tuple[int | None, int, int]:
    """Up to which sequence (None: all of it), how many frames, how many bytes; one frame at least."""
    statement = select(frames.c.last_sequence, func.length(frames.c.payload).label("size"))
    of_batch = statement.where(frames.c.batch_no == number).order_by(frames.c.first_sequence).limit(limit + 1)
    found = connection.execute(of_batch).all()
    size = 0
    for count, row in enumerate(found, 1):
        size += row.size
        if count < len(found) and (count >= limit or size >= limit_bytes):
            return row.last_sequence, count, size
    return None, len(found), size


def _forget(connection: Connection, number: int, through: int) -> None:
    connection.execute(delete(frames).where(frames.c.batch_no == number, frames.c.first_sequence <= through))
    connection.execute(
        delete(record_times).where(record_times.c.batch_no == number, record_times.c.sequence <= through)
    )
    connection.execute(update(batches).where(batches.c.batch_no == number).values(oldest=through + 1))
