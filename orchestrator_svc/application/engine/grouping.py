"""What waits to be recorded, batch by batch, and which of it makes the next transaction: bounded, round robin."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator_svc.domain.changes import Changes
from shared.kernel.errors import GreenlightError

GROUP_ROWS = 512
ALONE_ROWS = 256
GROUP_BYTES = 1 << 20
TURN_ROWS = 64


@dataclass(slots=True, eq=False)
class Recording:
    """Changes on their way to the store. Exactly one of `then` and `lost` is called, on the loop, in order.

    `unknown`: somebody waits for it, and may be told before that, once, that it takes too long to say which.
    """

    changes: Changes
    then: Callable[[], None] | None = None
    lost: Callable[[GreenlightError], None] | None = None
    unknown: Callable[[GreenlightError], None] | None = None


Item = tuple[Changes, Recording | None]
"""A part of a recording; the last part has the recording itself."""


class Waiting:
    """A queue a batch; `rows` and `bytes` are of all.

    A batch keeps its place from `add` to `done`: also while its part of a group is committed. It has one turn, among
    the urgent ones or in the ring, exactly while something of it waits.
    """

    def __init__(self) -> None:
        self._queues: dict[str, deque[Item]] = {}
        self._urgent: OrderedDict[str, None] = OrderedDict()
        self._ring: OrderedDict[str, None] = OrderedDict()
        self.rows = self.bytes = 0

    def __bool__(self) -> bool:
        return bool(self._queues)

    def __contains__(self, batch_id: str) -> bool:
        return batch_id in self._queues

    def add(self, recording: Recording) -> None:
        """Behind those of the same batch."""
        changes = recording.changes
        batch_id = changes.batch.id
        queue = self._queues.setdefault(batch_id, deque())
        if changes.urgent:
            self._ring.pop(batch_id, None)
            self._urgent[batch_id] = None
        elif batch_id not in self._urgent:
            self._ring[batch_id] = None
        parts = changes.parts()
        for part in parts[:-1]:
            queue.append((part, None))
        queue.append((parts[-1], recording))
        self.rows += sum(part.rows for part in parts)
        self.bytes += sum(part.bytes for part in parts)

    def take(self) -> list[Item]:
        """The next group: a turn of each batch that waits, or several of one that waits alone; urgent ones first."""
        group: list[Item] = []
        rows = size = 0
        served: set[str] = set()
        most = GROUP_ROWS if len(self._queues) > 1 else ALONE_ROWS
        while (self._urgent or self._ring) and rows < most and size < GROUP_BYTES:
            turns = self._urgent or self._ring
            batch_id = next(iter(turns))
            if batch_id in served and len(served) > 1:
                break
            served.add(batch_id)
            del turns[batch_id]
            queue = self._queues[batch_id]
            turn, fitting = 0, min(TURN_ROWS, most - rows)
            while queue and turn < fitting and size < GROUP_BYTES:
                group.append(item := queue.popleft())
                turn += item[0].rows
                size += item[0].bytes
            rows += turn
            if queue:
                self._ring[batch_id] = None
        return group

    def done(self, group: list[Item]) -> None:
        """Its transaction is over."""
        self.rows -= sum(changes.rows for changes, _ in group)
        self.bytes -= sum(changes.bytes for changes, _ in group)
        for batch_id in {changes.batch.id for changes, _ in group}:
            if not self._queues.get(batch_id):
                self._queues.pop(batch_id, None)

    def drop(self, batch_id: str) -> list[Item]:
        """Returns what still waited of it."""
        self._urgent.pop(batch_id, None)
        self._ring.pop(batch_id, None)
        rest = list(self._queues.pop(batch_id, ()))
        self.rows -= sum(changes.rows for changes, _ in rest)
        self.bytes -= sum(changes.bytes for changes, _ in rest)
        return rest
