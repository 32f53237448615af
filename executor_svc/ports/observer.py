"""Who wants to know of calls that ended, for telemetry."""

from typing import Protocol

from executor_svc.domain.call import Call
from executor_svc.domain.outcome import Outcome


class CallObserver(Protocol):
    """Told of calls that carry a span id, once their outcome is on its way."""

    def ended(self, call: Call, outcome: Outcome, ended_ns: int) -> None:
        """Must not raise nor block. `ended_ns` is wall time, in nanoseconds."""
        ...
