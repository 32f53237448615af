"""The first statement of each transaction: it moves the heads of all its batches, where their owner may still write.

A batch whose head or epoch is not what the writer believes, or that is another's, stays as it is and is not returned.
One that is nobody's may be written by whoever had it last: who takes it raises its epoch.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from orchestrator_svc.adapters.store.dialects import as_parameters
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.domain.proposal import ProposalState

SQLITE = """
UPDATE batches SET
  head = json_extract(j.value, '$[4]'),
  state = json_extract(j.value, '$[5]'),
  total = json_extract(j.value, '$[6]'),
  asked = json_extract(j.value, '$[7]'),
  expired = json_extract(j.value, '$[8]'),
  counts = json_extract(j.value, '$[9]'),
  open = json_extract(j.value, '$[10]'),
  cancelling = json_extract(j.value, '$[11]'),
  finish_time = json_extract(j.value, '$[12]'),
  deadline_time = json_extract(j.value, '$[13]'),
  deadline_left = json_extract(j.value, '$[14]'),
  reopened_after = json_extract(j.value, '$[15]'),
  incarnation = json_extract(j.value, '$[16]'),
  wake_time = json_extract(j.value, '$[17]')
FROM json_each(?) AS j
WHERE batches.batch_no = json_extract(j.value, '$[0]')
  AND batches.epoch = json_extract(j.value, '$[1]')
  AND batches.incarnation IN (json_extract(j.value, '$[2]'), '')
  AND batches.head = json_extract(j.value, '$[3]')
RETURNING batches.batch_no
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
    text = POSTGRESQL if connection.dialect.name == "postgresql" else SQLITE
    found = connection.exec_driver_sql(text, as_parameters(connection.dialect, rows))
    return {number for (number,) in found.all()}


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
