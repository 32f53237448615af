"""The first statement of each transaction: it moves the heads of all its batches, where their owner may still write.

A batch whose head, epoch or incarnation is not what the writer believes stays as it is and is not returned.
"""

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection

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
  reopened_after = json_extract(j.value, '$[15]')
FROM json_each(?) AS j
WHERE batches.batch_no = json_extract(j.value, '$[0]')
  AND batches.epoch = json_extract(j.value, '$[1]')
  AND batches.incarnation = json_extract(j.value, '$[2]')
  AND batches.head = json_extract(j.value, '$[3]')
RETURNING batches.batch_no
"""
_STATEMENTS = {"sqlite": SQLITE}


def guard(connection: Connection, writes: Sequence[BatchWrite]) -> set[int]:
    """Returns the numbers of the batches that are still the writer's; their rows say the new state."""
    rows = [_row(write) for write in sorted(writes, key=lambda write: write.batch.number)]
    statement = _STATEMENTS[connection.dialect.name]
    return {number for (number,) in connection.exec_driver_sql(statement, (orjson.dumps(rows).decode(),)).all()}


def _row(write: BatchWrite) -> tuple[object, ...]:
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
    )
