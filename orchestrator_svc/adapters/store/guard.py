"""What each transaction begins with: it moves the heads of all its batches, where their owner may still write.

A batch whose head or epoch is not what the writer believes, or that is another's, stays as it is and is not returned.
One that is nobody's may be written by whoever had it last: who takes it raises its epoch.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from orchestrator_svc.adapters.store.dialects import as_columns, run
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.domain.proposal import ProposalState

SQLITE = """
UPDATE batches SET
  head = ?, state = ?, total = ?, asked = ?, expired = ?, counts = ?, open = ?, cancelling = ?, finish_time = ?,
  deadline_time = ?, deadline_left = ?, reopened_after = ?, incarnation = ?, wake_time = ?
WHERE batch_no = ? AND epoch = ? AND incarnation IN (?, '') AND head = ?
RETURNING batch_no
"""
# The rows are locked by number before they are moved, so that two writers never wait for each other.
POSTGRESQL = """
WITH j AS MATERIALIZED (
  SELECT * FROM unnest(
    $1::bigint[], $2::integer[], $3::text[], $4::bigint[], $5::bigint[], $6::smallint[], $7::integer[], $8::integer[],
    $9::integer[], $10::text[], $11::smallint[], $12::smallint[], $13::bigint[], $14::bigint[], $15::bigint[],
    $16::bigint[], $17::text[], $18::bigint[]
  ) AS j (
    batch_no, epoch, incarnation, expected, head, state, total, asked, expired, counts, open, cancelling, finish_time,
    deadline_time, deadline_left, reopened_after, owner, wake_time
  )
), owned AS MATERIALIZED (
  SELECT batches.batch_no FROM batches JOIN j ON batches.batch_no = j.batch_no
  WHERE batches.epoch = j.epoch AND batches.incarnation IN (j.incarnation, '') AND batches.head = j.expected
  ORDER BY batches.batch_no FOR UPDATE OF batches
)
UPDATE batches SET
  head = j.head, state = j.state, total = j.total, asked = j.asked, expired = j.expired, counts = j.counts,
  open = j.open, cancelling = j.cancelling, finish_time = j.finish_time, deadline_time = j.deadline_time,
  deadline_left = j.deadline_left, reopened_after = j.reopened_after,
  incarnation = j.owner, wake_time = j.wake_time
FROM j JOIN owned ON owned.batch_no = j.batch_no
WHERE batches.batch_no = j.batch_no
RETURNING batches.batch_no
"""


def guard(connection: Connection, writes: Sequence[BatchWrite]) -> set[int]:
    """Returns the numbers of the batches that are still the writer's; their rows say the new state."""
    rows = [_row(write) for write in sorted(writes, key=lambda write: write.batch.number)]
    if connection.dialect.name == "postgresql":
        found = run(connection, POSTGRESQL, as_columns(rows))
    else:
        found = [number for row in rows for number in run(connection, SQLITE, (*row[4:], *row[:4]))]
    return {number for (number,) in found}


def _row(write: BatchWrite) -> tuple[Any, ...]:
    batch, header, events = write.batch, write.header, write.events
    counts = header.counts
    return (
        batch.number,
        batch.epoch,
        batch.incarnation,
        events[0].sequence - 1 if events else header.head,
        header.head,
        header.state,
        sum(counts),
        header.asked,
        counts[ProposalState.EXPIRED],
        orjson.dumps(counts).decode(),
        int(header.open),
        int(header.cancelling),
        header.finish_time,
        header.deadline_time,
        header.deadline_left,
        header.reopened_after,
        batch.incarnation if header.owned else "",
        header.wake_time,
    )
