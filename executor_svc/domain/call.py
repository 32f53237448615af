"""One attempt of a proposal, as an executor sees it. Values, never changed once made (plain for the sake of speed)."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class Origin:
    """What the calls of one batch share. `trace_id` is 16 bytes, or empty where the batch is not traced.

    `epoch`: of the batch's owner that sends them; 0: it is not said.
    """

    tenant: str
    principal: str
    session_id: str
    context_json: str
    batch_id: str
    labels: Mapping[str, str]
    trace_id: bytes
    epoch: int = 0


@dataclass(slots=True)
class Call:
    """`arguments` are JSON text as received, `timeout` seconds (None: the tool's), `span_id` 8 bytes or empty."""

    id: str
    origin: Origin
    tool: str
    version: str
    arguments: str
    digest: str
    idempotency_key: str
    attempt: int
    agent: str
    timeout: float | None
    span_id: bytes

    @property
    def proposal_id(self) -> str:
        """A call's id is its proposal's and the attempt's number."""
        return self.id.rpartition("/")[0] or self.id
