"""Which proposals get spans: decided at the first dispatch, for both services, and kept until the batch ends."""

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.proposal import Proposal
from shared.kernel.clock import Clock

SMALL_BATCH = 100
_BATCHES_KEPT = 4_096


class Sampler:
    """Everything in batches of up to 100 proposals; in larger ones so many proposals a second, over all batches."""

    def __init__(self, clock: Clock, rate: float) -> None:
        self._clock = clock
        self._rate = rate
        self._tokens = rate
        self._filled = clock.monotonic()
        self._chosen: dict[str, set[int]] = {}

    def decide(self, batch: Batch, proposal: Proposal) -> bool:
        """At a dispatch. Later attempts follow the first."""
        chosen = self._chosen.get(batch.id)
        if chosen is not None and proposal.ordinal in chosen:
            return True
        if len(batch.proposals) > SMALL_BATCH and (len(proposal.attempts) > 1 or not self._take()):
            return False
        if len(batch.proposals) > SMALL_BATCH or batch.open:
            self._remember(batch.id, proposal.ordinal)
        return True

    def chosen(self, batch: Batch, ordinal: int) -> bool:
        """What was decided."""
        return len(batch.proposals) <= SMALL_BATCH or ordinal in self._chosen.get(batch.id, ())

    def forget(self, batch_id: str) -> None:
        """The batch is over."""
        self._chosen.pop(batch_id, None)

    def _remember(self, batch_id: str, ordinal: int) -> None:
        chosen = self._chosen.get(batch_id)
        if chosen is None:
            if len(self._chosen) >= _BATCHES_KEPT:
                del self._chosen[next(iter(self._chosen))]
            chosen = self._chosen[batch_id] = set()
        chosen.add(ordinal)

    def _take(self) -> bool:
        if self._tokens < 1:
            now = self._clock.monotonic()
            self._tokens = min(self._rate, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            if self._tokens < 1:
                return False
        self._tokens -= 1
        return True
