"""Batches that cannot be had here: another orchestrator has them, or there are none of that id."""

from shared.kernel.errors import NotFoundError


class OwnedElsewhereError(Exception):
    """Another orchestrator has the batch: its `incarnation` has to be asked."""

    def __init__(self, incarnation: str) -> None:
        super().__init__(incarnation)
        self.incarnation = incarnation


def unknown_batch(batch_id: str) -> NotFoundError:
    return NotFoundError("BATCH_UNKNOWN", f"no batch {batch_id[:128]!r} here", metadata={"batch_id": batch_id[:128]})
