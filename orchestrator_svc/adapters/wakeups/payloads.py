"""Wakes as the texts that NOTIFY carries: who says it, then a JSON list, in fewer bytes than PostgreSQL takes."""

from collections.abc import Sequence
from typing import Any

import orjson

from orchestrator_svc.ports.wakeups import Wake, WakeKind

MAX_BYTES = 7_900
"""PostgreSQL takes 7,999."""
CHANNEL = "'greenlight_' || left(encode(sha256(convert_to(coalesce(current_schema(), ''), 'UTF8')), 'hex'), 32)"
"""Of a schema, as SQL: of names that are long, too, the name of a channel."""


def pack(sender: str, wakes: Sequence[Wake]) -> list[str]:
    """As few as hold them all. One that is too long for any is told as MISSED."""
    room = MAX_BYTES - len(sender.encode()) - 3
    payloads: list[str] = []
    waiting: list[bytes] = []
    size = 0
    for wake in wakes:
        entry = _entry(wake)
        if len(entry) > room:
            entry = _entry(Wake(WakeKind.MISSED))
        if size + len(entry) + 1 > room:
            payloads.append(_payload(sender, waiting))
            waiting, size = [], 0
        waiting.append(entry)
        size += len(entry) + 1
    if waiting:
        payloads.append(_payload(sender, waiting))
    return payloads


def _entry(wake: Wake) -> bytes:
    """Without the empty fields at its end."""
    fields: list[Any] = [wake.kind.value, *wake[1:]]
    while not fields[-1]:
        fields.pop()
    return orjson.dumps(fields)


def _payload(sender: str, entries: Sequence[bytes]) -> str:
    return f"{sender} [{b','.join(entries).decode()}]"


def sender_of(payload: str) -> str:
    return payload.partition(" ")[0]


def unpack(payload: str) -> list[Wake]:
    """What cannot be read, of another version or of somebody else, is MISSED: it may have said anything."""
    try:
        return [_wake(*fields) for fields in orjson.loads(payload.partition(" ")[2])]
    except (ValueError, TypeError):
        return [Wake(WakeKind.MISSED)]


def _wake(
    kind: object, tenant: Any = "", session_id: Any = "", batch_id: Any = "", to: Any = "", head: Any = 0
) -> Wake:
    if not all(isinstance(text, str) for text in (tenant, session_id, batch_id, to)) or not isinstance(head, int):
        raise TypeError
    return Wake(WakeKind(kind), tenant, session_id, batch_id, to, head)
