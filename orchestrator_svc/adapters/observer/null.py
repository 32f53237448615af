"""The observer for when nobody looks on: no endpoint is set, and nothing is made."""

from collections.abc import Sequence

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import Proposal


class NullObserver:
    """Implements `Observer`."""

    def dispatching(self, batch: Batch, proposal: Proposal) -> bytes:
        return b""

    def committed(self, changes: Sequence[Changes]) -> None:
        pass
