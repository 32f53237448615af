"""Batches that wait for people only, or are finished, kept in memory for a while: the next command needs no load."""

from collections import OrderedDict
from collections.abc import Iterator

from orchestrator_svc.domain.batch import Batch

RESTING_BATCHES = 500
RESTING_WEIGHT = 4_000
BYTES_OF_ONE = 4_096


class Resting:
    """The latest that came to rest or were used, as many as fit: by number, by proposals, by the size of arguments."""

    def __init__(self) -> None:
        self._batches: OrderedDict[str, tuple[Batch, int]] = OrderedDict()
        self._weight = 0

    def __contains__(self, batch_id: str) -> bool:
        return batch_id in self._batches

    def __len__(self) -> int:
        return len(self._batches)

    def put(self, batch: Batch) -> None:
        self.remove(batch.id)
        weight = max(len(batch.proposals), batch.argument_bytes // BYTES_OF_ONE)
        self._batches[batch.id] = (batch, weight)
        self._weight += weight

    def remove(self, batch_id: str) -> None:
        """It is gone from memory, or works again."""
        found = self._batches.pop(batch_id, None)
        if found is not None:
            self._weight -= found[1]

    def take_surplus(self) -> Iterator[Batch]:
        """Takes out those that do not fit, the longest unused first; the last one stays."""
        while len(self._batches) > RESTING_BATCHES or (self._weight > RESTING_WEIGHT and len(self._batches) > 1):
            _, (batch, weight) = self._batches.popitem(last=False)
            self._weight -= weight
            yield batch
