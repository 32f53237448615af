"""How long it took to record each attempt's ending, where that is known."""

from bisect import bisect_left
from collections.abc import Sequence

from sqlalchemy import Connection, select

from orchestrator_svc.adapters.store.tables import frames, record_times
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.ports.views import ProposalView


def with_record_times(connection: Connection, number: int, views: Sequence[ProposalView]) -> None:
    """All of one batch."""
    sequences = [attempt.finish_sequence for view in views for attempt in view.proposal.attempts]
    first = min(filter(None, sequences), default=None)
    if first is None:
        return
    times = connection.execute(
        select(record_times.c.sequence, record_times.c.duration)
        .where(record_times.c.batch_no == number, record_times.c.sequence >= first)
        .order_by(record_times.c.sequence)
    )
    ends = connection.execute(
        select(frames.c.first_sequence, frames.c.last_sequence)
        .where(frames.c.batch_no == number, frames.c.last_sequence >= first)
        .order_by(frames.c.first_sequence)
    )
    spans = [(row.first_sequence, row.last_sequence) for row in ends]
    matched = RecordTimes([(row.sequence, row.duration) for row in times], spans)
    for view in views:
        view.record_times = matched.of(view.proposal)


class RecordTimes:
    """A time stands for the events before it, but only for those that were committed in the same frame.

    `spans`: first and last sequence of each frame that is there; of events that are gone nothing is known.
    """

    def __init__(self, times: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> None:
        self._sequences = [sequence for sequence, _ in times]
        self._durations = [duration for _, duration in times]
        self._spans = spans
        self._ends = [last for _, last in spans]

    def of(self, proposal: Proposal) -> dict[int, int]:
        """Attempt number -> ns."""
        found: dict[int, int] = {}
        for attempt in proposal.attempts:
            sequence = attempt.finish_sequence
            position = bisect_left(self._sequences, sequence)
            end = bisect_left(self._ends, sequence)
            known = sequence and position < len(self._sequences) and end < len(self._ends)
            if known and self._spans[end][0] <= sequence and self._sequences[position] <= self._ends[end]:
                found[attempt.number] = self._durations[position]
        return found
