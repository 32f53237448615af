"""What each proposal was doing when, rebuilt from the recorded events. Pure; drawing is done elsewhere."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight_client.cli.formats import moment
from greenlight_client.cli.model import BatchModel, Row


class Phase(Enum):
    """Why time passed."""

    DEPENDENCIES = "dependencies"
    DECISION = "decision"
    QUEUE = "queue"
    RUN = "run"
    BACKOFF = "backoff"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Span:
    """One phase of one proposal. `failed` is of a RUN."""

    key: str
    agent: str
    phase: Phase
    attempt: int
    start: datetime
    end: datetime
    failed: bool = False


@dataclass(slots=True)
class Waterfall:
    """`add` every event of a batch, in order, then `finish`. `begin`: when the first of them was."""

    model: BatchModel = field(default_factory=BatchModel)
    spans: list[Span] = field(default_factory=list[Span])
    begin: datetime | None = None
    _open: dict[str, Span] = field(default_factory=dict[str, Span])
    _waited_for_by: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def add(self, event: event_pb2.Event) -> None:
        """Moves the model on, and closes and opens phases by what it shows."""
        row = self.model.apply(event)
        at = moment(event.time)
        self.begin = self.begin or at
        if row is None or at is None:
            return
        if event.HasField("proposal_added"):
            for key in row.depends_on:
                self._waited_for_by.setdefault(key, []).append(row.key)
        failed = event.WhichOneof("detail") in ("attempt_retrying", "proposal_failed", "outcome_unknown")
        self._enter(row, at, failed=failed)
        if row.is_ended:
            for key in self._waited_for_by.get(row.key, ()):
                self._enter(self.model.rows[key], at)

    def finish(self, at: datetime) -> list[Span]:
        """Closes what is still open at `at`; spans by start."""
        for span in self._open.values():
            span.end = max(at, span.start)
            self.spans.append(span)
        self._open.clear()
        return sorted(self.spans, key=lambda span: span.start)

    def _enter(self, row: Row, at: datetime, *, failed: bool = False) -> None:
        phase = self._phase(row)
        span = self._open.get(row.key)
        if span is not None:
            if span.phase is phase and span.attempt == row.attempt:
                return
            span.end, span.failed = at, failed and span.phase is Phase.RUN
            self.spans.append(self._open.pop(row.key))
        if phase is not None:
            self._open[row.key] = Span(row.key, row.agent, phase, row.attempt, at, at)

    def _phase(self, row: Row) -> Phase | None:
        match row.state:
            case proposal_pb2.PROPOSAL_STATE_RUNNING:
                return Phase.RUN
            case proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN:
                return Phase.UNKNOWN
            case proposal_pb2.PROPOSAL_STATE_PROPOSED if row.asked is not None:
                return Phase.DECISION
            case proposal_pb2.PROPOSAL_STATE_PROPOSED | proposal_pb2.PROPOSAL_STATE_APPROVED:
                if row.retry_at is not None:
                    return Phase.BACKOFF
                return Phase.DEPENDENCIES if self.model.unmet(row) else Phase.QUEUE
            case _:
                return None


@dataclass(frozen=True, slots=True)
class Axis:
    """Seconds to columns. A stretch in which nothing but people was waited for takes `_SQUEEZED` columns at most."""

    knots: list[tuple[float, float]]

    def column(self, second: float) -> float:
        """Piecewise linear through the knots."""
        for (left, first), (right, last) in zip(self.knots, self.knots[1:], strict=False):
            if second <= right:
                share = (second - left) / (right - left) if right > left else 0.0
                return first + share * (last - first)
        return self.knots[-1][1] if self.knots else 0.0


_MOVING = (Phase.RUN, Phase.QUEUE, Phase.BACKOFF)
_SQUEEZED = 3.0


def axis(spans: list[Span], start: datetime, end: datetime, columns: int) -> Axis:
    """Lays the batch's time over so many columns; long stretches in which nothing moved are squeezed."""
    total = (end - start).total_seconds()
    busy = _merged(
        [
            ((span.start - start).total_seconds(), (span.end - start).total_seconds())
            for span in spans
            if span.phase in _MOVING
        ]
    )
    gaps = _gaps(busy, total)
    moving = total - sum(right - left for left, right in gaps)
    long = [gap for gap in gaps if gap[1] - gap[0] > max(0.25 * moving, 0.05)]
    room = columns - _SQUEEZED * len(long)
    if not long or room < columns / 2:
        return Axis([(0.0, 0.0), (total, float(columns))])
    shown = max(total - sum(right - left for left, right in long), 1e-9)
    knots, column, second = [(0.0, 0.0)], 0.0, 0.0
    for left, right in long:
        column += (left - second) / shown * room
        knots.append((left, column))
        column += _SQUEEZED
        knots.append((right, column))
        second = right
    knots.append((total, float(columns)))
    return Axis(knots)


def _merged(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for left, right in sorted(intervals):
        if merged and left <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
        else:
            merged.append((left, right))
    return merged


def _gaps(busy: list[tuple[float, float]], total: float) -> list[tuple[float, float]]:
    edges = [0.0, *(edge for interval in busy for edge in interval), total]
    return [(left, right) for left, right in zip(edges[::2], edges[1::2], strict=True) if right > left]
