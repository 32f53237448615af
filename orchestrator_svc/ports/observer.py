"""Who looks on: told of every dispatch and every commit, and never in the way. Traces and metrics hang here."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import Proposal


class Observer(Protocol):
    """Must not raise, block or keep what it is given longer than the batch lives."""

    def dispatching(self, batch: Batch, proposal: Proposal) -> bytes:
        """Before an attempt is sent (it is the last of `proposal.attempts`): its span id, or b"" if not sampled."""
        ...

    def committed(self, changes: Sequence[Changes]) -> None:
        """In order, after the commit. Read the changes' records and events, not the batch, which has moved on."""
        ...
