"""Whose the calls are that run: the highest epoch that was heard of for each of their batches.

A batch's earlier owner may not know yet that it is one. It neither gets a call that runs, nor stops it.
"""

from collections.abc import Mapping

from executor_svc.application.run import Run

FEW = 1_000


class Owners:
    """`running`: by call id. What was heard of batches of which nothing runs is let go now and then."""

    def __init__(self, running: Mapping[str, Run]) -> None:
        self._running = running
        self._heard: dict[str, int] = {}
        self._most = FEW

    def __len__(self) -> int:
        return len(self._heard)

    def admits(self, run: Run, epoch: int) -> bool:
        """Whether the call may be whose who comes with that epoch; keeps it. 0: it says none, and is not held back."""
        if not epoch:
            return True
        origin = run.call.origin
        known = max(origin.epoch, self._heard.get(origin.batch_id, 0))
        if epoch > known:
            self._hear(origin.batch_id, epoch)
        return epoch >= known

    def _hear(self, batch_id: str, epoch: int) -> None:
        self._heard[batch_id] = epoch
        if len(self._heard) > self._most:
            live = {run.call.origin.batch_id for run in self._running.values()}
            self._heard = {batch_id: epoch for batch_id, epoch in self._heard.items() if batch_id in live}
            self._most = max(FEW, 2 * len(self._heard))
