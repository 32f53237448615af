"""What an executor in memory knows of its calls across its starts."""

from dataclasses import dataclass, field

from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect
from orchestrator_svc.ports.executor import Call

CUT_OFF = Ending(
    None, Failure(FailureClass.UNAVAILABLE, KnownEffect.POSSIBLE, "EXECUTOR_ENDED", "it ended while the tool ran")
)


class Owners:
    """Whose the calls are that run: the highest epoch that was heard of for each of their batches."""

    def __init__(self) -> None:
        self._heard: dict[str, int] = {}

    def admit(self, held: Call, epoch: int) -> bool:
        """Whether who comes with that epoch has the batch, as far as is known."""
        batch_id = held.origin.batch_id
        known = max(held.origin.epoch, self._heard.get(batch_id, 0))
        self._heard[batch_id] = max(known, epoch)
        return epoch >= known


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
