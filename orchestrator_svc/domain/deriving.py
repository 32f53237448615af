"""The state of a batch, from what its proposals came to."""

from typing import TYPE_CHECKING

from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.states import BatchState

if TYPE_CHECKING:
    from orchestrator_svc.domain.batch import Batch


def derive_state(batch: "Batch") -> BatchState:
    """O(1), from the counts."""
    counts = batch.counts
    running = counts[State.RUNNING]
    waiting = counts[State.PROPOSED] + counts[State.APPROVED]
    if batch.cancelling:
        return BatchState.CANCELLING if running or waiting else _verdict(batch)
    if running or batch.ready_count or batch.looking:
        return BatchState.RUNNING
    if waiting or counts[State.OUTCOME_UNKNOWN] > batch.given_up:
        return BatchState.BLOCKED
    return BatchState.IDLE if batch.open else _verdict(batch)


def _verdict(batch: "Batch") -> BatchState:
    counts = batch.counts
    if counts[State.OUTCOME_UNKNOWN]:
        return BatchState.PARTIAL
    if counts[State.SUCCEEDED] == len(batch.proposals):
        return BatchState.CANCELLED if batch.cancelling and not batch.proposals else BatchState.SUCCEEDED
    if counts[State.SUCCEEDED]:
        return BatchState.PARTIAL
    if counts[State.FAILED] or counts[State.EXPIRED]:
        return BatchState.FAILED
    return BatchState.REJECTED if counts[State.REJECTED] else BatchState.CANCELLED
