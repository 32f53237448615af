"""What waits for an executor that nobody has: after a while it fails."""

from collections.abc import Callable

from orchestrator_svc.application.engine.dispatcher import Dispatcher
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect
from orchestrator_svc.ports.executor import Executors


class Unserved:
    def __init__(self, dispatcher: Dispatcher, executors: Executors) -> None:
        self._dispatcher, self._executors = dispatcher, executors

    def look(self, now: float, timeout: float) -> dict[Batch, list[Callable[[Batch, Changes], None]]]:
        """Those for whose tool no executor was connected for too long, or only such as describe it differently."""
        work: dict[Batch, list[Callable[[Batch, Changes], None]]] = {}
        for lane in self._dispatcher.lanes():
            if lane.unserved_since is None or self._executors.serves(lane.tool):
                continue
            message = f"no executor with {lane.tool} was connected for {timeout:g} s"
            if self._executors.differs(lane.tool):
                message = (
                    f"an executor has {lane.tool}, described differently than on record: give it another version "
                    f"(none with the one on record was connected for {timeout:g} s)"
                )
            for ready in lane.overdue(now - timeout):
                self._dispatcher.left(ready)
                if not ready.stale:
                    work.setdefault(ready.batch, []).append(_timed_out(ready.proposal, message))
        return work


def _timed_out(proposal: Proposal, message: str) -> Callable[[Batch, Changes], None]:
    failure = Failure(FailureClass.UNAVAILABLE, KnownEffect.NONE, "QUEUE_TIMEOUT", message)

    def operation(batch: Batch, changes: Changes) -> None:
        if proposal.state is State.APPROVED:  # it may stand in its lane twice
            batch.fail(changes, proposal, failure)
            batch.ended(changes, proposal)

    return operation
