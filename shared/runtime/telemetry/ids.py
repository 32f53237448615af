"""Ids of traces and spans. A span's id follows from what it stands for, so both services, and every later start of
them, name it the same."""

import re
from hashlib import blake2b
from typing import NamedTuple

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")


class Parent(NamedTuple):
    """What a `traceparent` header says: lower-case hex, 32 and 16 digits."""

    trace_id: str
    span_id: str


def derive_span_id(trace_id: str, subject: str, kind: str, number: int = 0) -> bytes:
    """8 bytes. `subject`: id of the batch, proposal or call; `kind`: which of its spans; `number`: the how-manieth."""
    return blake2b(f"{trace_id}\n{subject}\n{kind}\n{number}".encode(), digest_size=8).digest()


def parse_traceparent(header: str) -> Parent | None:
    """None where it is not one (W3C Trace Context: then it counts as absent)."""
    match = _TRACEPARENT.fullmatch(header.strip())
    if match is None or not int(match[1], 16) or not int(match[2], 16):
        return None
    return Parent(match[1], match[2])
