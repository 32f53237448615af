"""What an executor in memory knows of its calls across its starts."""

from dataclasses import dataclass, field

from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect
from orchestrator_svc.ports.executor import Call

CUT_OFF = Ending(
    None, Failure(FailureClass.UNAVAILABLE, KnownEffect.POSSIBLE, "EXECUTOR_ENDED", "it ended while the tool ran")
)


@dataclass
class Journal:
    """What an executor knows of its NON_IDEMPOTENT calls, across its starts: digest and ending (None: not yet)."""

    boots: set[str] = field(default_factory=set[str])
    calls: dict[str, tuple[str, Ending | None]] = field(default_factory=dict[str, tuple[str, Ending | None]])
    fenced: set[str] = field(default_factory=set[str])
    position: int = 0

    def write(self, call: Call, ending: Ending | None) -> None:
        self.calls[call.id] = (call.digest, ending)
        self.position += 1
