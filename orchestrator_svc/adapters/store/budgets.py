"""How much of what was found is read. Sizes are columns: nothing is read only to learn that it is too large."""

from collections.abc import Iterable
from itertools import takewhile

from orchestrator_svc.adapters.store.reading.any_rows import AnyRow
from orchestrator_svc.adapters.store.rows import size_of
from orchestrator_svc.domain.proposal import ProposalState

# Fixed columns of a proposal, and what a message says around them.
_ROW_BYTES = 64
# What is read for an answer and not shown in it counts for less, not for nothing.
_HIDDEN = 8


class Room:
    """For `limit` bytes, and for the first row whatever its size."""

    def __init__(self, limit: int) -> None:
        self._left, self._empty = limit, True

    def takes(self, size: int) -> bool:
        """Ask no more after a refusal."""
        self._left -= _ROW_BYTES + size
        fits, self._empty = self._empty or self._left >= 0, False
        return fits


def fitting(sizes: Iterable[int], limit: int) -> int:
    """How many, from the first on, fit; the first one always does."""
    room = Room(limit)
    return sum(1 for _ in takewhile(room.takes, sizes))


def fitting_results(sizes: Iterable[tuple[int, int]], limit: int) -> list[int]:
    """The ordinals of the (ordinal, size) that fit beside those before them."""
    fit: list[int] = []
    for ordinal, size in sizes:
        if size and size <= limit:
            limit -= size
            fit.append(ordinal)
    return fit


def answer_size(row: AnyRow) -> int:
    """What of a proposal's row an answer shows, its result aside."""
    rejected = row.state == ProposalState.REJECTED
    shown = (row.key, row.agent, row.tool, row.failure, row.skipped_because, row.missing_inputs, row.operator_reason)
    decisions = size_of(row.decisions)
    hidden = len(row.attempts) + (0 if rejected else decisions)
    return sum(map(size_of, shown)) + (decisions if rejected else 0) + hidden // _HIDDEN
