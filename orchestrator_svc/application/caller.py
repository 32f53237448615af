"""Who calls, and which request it is: what every use case gets beside its own input."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """`principal` is `kind:name`; `trace_id` 32 hex digits of the caller's trace, or ""."""

    tenant: str
    principal: str
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What makes a mutation repeatable. `payload_hash`: over everything of the request but its id."""

    request_id: str
    kind: str
    payload_hash: bytes
