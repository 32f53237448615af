"""Commands for owners are written down on PostgreSQL, and their owners told, by one statement on a connection of its
own: one message there and back, behind no commit of this orchestrator, and without waiting for the disk."""

from collections.abc import Sequence

from sqlalchemy import Connection

from orchestrator_svc.adapters.store.dialects import as_columns, clean
from orchestrator_svc.adapters.store.failures import superseded
from orchestrator_svc.adapters.wakeups.payloads import CHANNEL, pack
from orchestrator_svc.ports.commands import CommandId, SentCommand
from orchestrator_svc.ports.wakeups import Wake, WakeKind

# As `inbox.send`, with the fence. Whoever supersedes this start waits for the lock, until the row can be seen.
_SEND = f"""
WITH fenced AS MATERIALIZED (
  SELECT id FROM incarnations WHERE id = $1 AND superseded = 0 FOR KEY SHARE
), sent AS (
  INSERT INTO inbox (tenant, request_id, batch_no, sent_time, sender, kind, principal, payload_hash, arguments)
  SELECT j.tenant, j.request_id, batches.batch_no, j.sent_time, j.sender, j.kind, j.principal, j.payload_hash,
    j.arguments
  FROM fenced CROSS JOIN unnest(
    $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::bytea[]
  ) AS j (tenant, request_id, batch_id, sent_time, sender, kind, principal, payload_hash, arguments)
  JOIN batches ON batches.tenant = j.tenant AND batches.id = j.batch_id AND batches.published = 1
  ON CONFLICT (tenant, request_id, batch_no) DO UPDATE
  SET sender = excluded.sender, sent_time = excluded.sent_time, refusal = NULL
  RETURNING batch_no
), owners AS MATERIALIZED (
  SELECT DISTINCT batches.incarnation FROM sent JOIN batches ON batches.batch_no = sent.batch_no
  WHERE batches.incarnation NOT IN ('', $1)
)
SELECT id, (SELECT count(pg_notify({CHANNEL}, replace($11, '?', owners.incarnation))) FROM owners) FROM fenced
"""


def send(connection: Connection, sent: Sequence[SentCommand], now: int, incarnation: str) -> None:
    """Each once. What a crash of the server forgets of it is sent again: somebody waits for its answer, which is on the
    disk before it is told, as is what is refused or withdrawn."""
    rows = clean([_row(command, now + place) for place, command in enumerate(_once(sent))])
    (told,) = pack(incarnation, [Wake(WakeKind.COMMAND, to="?")])
    if rows and connection.exec_driver_sql(_SEND, (incarnation, *as_columns(rows), told)).scalar() is None:
        raise superseded()


def _row(command: SentCommand, time: int) -> tuple[str | int | bytes, ...]:
    return (
        command.tenant,
        command.request_id,
        command.batch_id,
        time,
        command.sender,
        command.kind,
        command.principal,
        command.payload_hash,
        command.arguments,
    )


def _once(sent: Sequence[SentCommand]) -> list[SentCommand]:
    """One statement moves no row twice."""
    by_id: dict[CommandId, SentCommand] = {}
    for command in sent:
        by_id.setdefault(command.id, command)
    return list(by_id.values())
