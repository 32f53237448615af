"""Who calls, and which request it is: what every use case gets beside its own input."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """`principal` is `kind:name`; `trace_id` and `span_id` 32 and 16 hex digits of the caller's trace, or ""."""

    tenant: str
    principal: str
    trace_id: str = ""
    span_id: str = ""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What makes a mutation repeatable. `payload_hash`: over everything of the request but its id."""

    request_id: str
    kind: str
    payload_hash: bytes
