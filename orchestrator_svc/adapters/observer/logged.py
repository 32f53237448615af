"""The observer that logs batches: one line when one comes, one when it is finished, none for a call."""

import logging
from collections.abc import Sequence

from orchestrator_svc.domain import events
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import Proposal, ProposalState
from orchestrator_svc.ports.observer import Observer

_log = logging.getLogger(__name__)
_SECOND = 1e9


class LoggedBatches:
    """Implements `Observer` around another one."""

    def __init__(self, inner: Observer) -> None:
        self._inner = inner

    def dispatching(self, batch: Batch, proposal: Proposal) -> bytes:
        return self._inner.dispatching(batch, proposal)

    def committed(self, changes: Sequence[Changes]) -> None:
        for change in changes:
            if change.publish:
                batch = change.batch
                extra = {"trace_id": batch.trace_id}
                _log.info("batch %s of %s: proposals: %d", batch.id, batch.tenant, len(batch.proposals), extra=extra)
            if change.events and isinstance(finished := change.events[-1].detail, events.BatchFinished):
                _log_finished(change, finished)
        self._inner.committed(changes)


def _log_finished(change: Changes, finished: events.BatchFinished) -> None:
    batch, header = change.batch, change.header
    assert header is not None
    counts = ", ".join(f"{finished.counts[state]} {state.name}" for state in ProposalState if finished.counts[state])
    seconds = ((header.finish_time or change.time) - batch.create_time) / _SECOND
    extra = {"trace_id": batch.trace_id}
    _log.info("batch %s %s in %.3f s: %s", batch.id, finished.state.name, seconds, counts, extra=extra)
