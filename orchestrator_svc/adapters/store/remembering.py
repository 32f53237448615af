"""Requests and their commands' answers, in the transaction of the changes that they caused."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from orchestrator_svc.adapters.store.bulk import BulkInsert, LookUp
from orchestrator_svc.adapters.store.tables import commands, requests
from orchestrator_svc.domain.changes import BatchWrite, CommandRecord

_REQUEST = ("tenant", "request_id", "kind", "payload_hash", "chosen", "create_time")
_KNOWN = LookUp(requests, _REQUEST[:4], _REQUEST[:2])
_ANSWERED = LookUp(commands, ("batch_no",), _REQUEST[:2])
_NEW = BulkInsert(requests, _REQUEST)
# No row has no kind: one that is there as another request fails the transaction, without a statement that looks for it.
_LATER = BulkInsert(
    requests,
    _REQUEST,
    "ON CONFLICT (tenant, request_id) DO UPDATE SET kind = NULL "
    "WHERE requests.kind <> excluded.kind OR requests.payload_hash <> excluded.payload_hash",
)
_ANSWER = BulkInsert(commands, ("tenant", "request_id", "batch_no", "answer"), wide=("answer",))


def _row(tenant: str, command: CommandRecord, now: int) -> tuple[Any, ...]:
    return (tenant, command.request_id, command.kind, command.payload_hash, b"", now)


def _claims(write: BatchWrite) -> bool:
    """Whether its first command is the one that makes the batch."""
    return bool(write.commands) and (write.created or write.publish)


def claim(connection: Connection, writes: Sequence[BatchWrite], now: int) -> set[str]:
    """Remembers the requests that batches are made by; returns the batches whose request was there already."""
    rows: dict[tuple[str, str], tuple[Any, ...]] = {}
    claimants: dict[tuple[str, str], str] = {}
    refused: set[str] = set()
    for write in filter(_claims, writes):
        command = write.commands[0]
        key = (write.batch.tenant, command.request_id)
        if claimants.setdefault(key, write.batch.id) == write.batch.id:
            rows[key] = _row(write.batch.tenant, command, now)
        else:
            refused.add(write.batch.id)
    if rows:
        for tenant, request_id, *_ in _KNOWN.run(connection, list(rows)):
            refused.add(claimants[tenant, request_id])
            del rows[tenant, request_id]
        _NEW.run(connection, [row for _, row in sorted(rows.items())])
    return refused


def remember(connection: Connection, writes: Sequence[tuple[BatchWrite, int]], now: int) -> None:
    """The answers, by batch number; and the requests, but for those that `claim` wrote or an earlier command did.

    Raises where a request is remembered as another one, or has an answer of that batch (`is_taken`).
    """
    later = {
        _row(write.batch.tenant, command, now)
        for write, _ in writes
        for command in write.commands[1 if _claims(write) else 0 :]
    }
    # In the order of their keys, here and in `claim`: so no two orchestrators wait for each other in a circle.
    _LATER.run(connection, sorted(later))
    answers = [
        (write.batch.tenant, command.request_id, number, command.answer)
        for write, number in writes
        for command in write.commands
    ]
    _ANSWER.run(connection, answers)


def is_taken(connection: Connection, write: BatchWrite) -> bool:
    """Whether a request of a batch that could not be written is to blame: whoever was first with it has had it carried
    out, or has used its id for another one."""
    requested = {(write.batch.tenant, command.request_id): command for command in write.commands}
    if len(requested) < len(write.commands):
        return True
    for tenant, request_id, kind, payload_hash in _KNOWN.run(connection, list(requested)):
        command = requested[tenant, request_id]
        makes = _claims(write) and command is write.commands[0]
        if makes or (kind, payload_hash) != (command.kind, command.payload_hash):
            return True
    return (write.batch.number,) in _ANSWERED.run(connection, list(requested))
