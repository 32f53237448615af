"""Where the time of each call went, as measured by both services; and what one by one would have taken. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from google.protobuf import duration_pb2

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight_client.cli.critical_path import CriticalPath, critical_path
from greenlight_client.cli.formats import moment


@dataclass(frozen=True, slots=True)
class AttemptTimes:
    """Seconds; None = not known (or not applicable). `decision` is that of the proposal, on its first attempt only."""

    key: str
    agent: str
    number: int
    attempts: int
    succeeded: bool
    decision: float | None
    queue: float | None
    executor_queue: float | None
    tool: float | None
    wire: float | None
    record: float | None

    @property
    def measured(self) -> float:
        """What it would have taken by itself, with nobody to wait for: tool, wire and record."""
        return sum(part for part in (self.tool, self.wire, self.record) if part is not None)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Seconds. `took` leaves out the time in which nothing moved without a person (`blocked`)."""

    sequential: float
    took: float
    blocked: float
    path: CriticalPath


def attempt_times(proposals: Iterable[proposal_pb2.Proposal]) -> list[AttemptTimes]:
    """One entry an attempt, in input order."""
    return [
        _times(proposal, attempt, first=place == 0)
        for proposal in proposals
        for place, attempt in enumerate(proposal.attempts)
    ]


def compare(proposals: Sequence[proposal_pb2.Proposal], took: float, blocked: float) -> Comparison:
    """Of a finished batch: `took` from submission to end, `blocked` of it waited for a person."""
    times = attempt_times(proposals)
    tool: dict[str, float] = {}
    for entry in times:
        tool[entry.key] = tool.get(entry.key, 0.0) + (entry.tool or 0.0)
    depends_on = {item.key: [dependency.key for dependency in item.depends_on] for item in proposals}
    sequential = sum(entry.measured for entry in times)
    return Comparison(sequential, took - blocked, blocked, critical_path(tool, depends_on))


@dataclass(slots=True)
class BlockedTime:
    """Adds up how long a batch stood still for a person: `add` every event, in order."""

    seconds: float = 0.0
    _since: float | None = field(default=None)

    def add(self, event: event_pb2.Event) -> None:
        """Only changes of the batch's state count."""
        detail = event.WhichOneof("detail")
        at = moment(event.time)
        if at is None or detail not in ("batch_state_changed", "batch_finished"):
            return
        blocked = detail == "batch_state_changed" and event.batch_state_changed.state == batch_pb2.BATCH_STATE_BLOCKED
        if self._since is not None:
            self.seconds += max(0.0, at.timestamp() - self._since)
        self._since = at.timestamp() if blocked else None


def _times(proposal: proposal_pb2.Proposal, attempt: proposal_pb2.Attempt, *, first: bool) -> AttemptTimes:
    timing = attempt.timing
    decided = first and proposal.HasField("decision_wait")
    return AttemptTimes(
        key=proposal.key,
        agent=proposal.agent,
        number=attempt.number,
        attempts=len(proposal.attempts),
        succeeded=not attempt.HasField("failure"),
        decision=_seconds(proposal.decision_wait) if decided else None,
        queue=_seconds(timing.queue_wait) if timing.HasField("queue_wait") else None,
        executor_queue=_seconds(timing.executor_queue) if timing.HasField("executor_queue") else None,
        tool=_seconds(timing.tool) if timing.HasField("tool") else None,
        wire=_seconds(timing.wire) if timing.HasField("wire") else None,
        record=_seconds(timing.record) if timing.HasField("record") else None,
    )


def _seconds(duration: duration_pb2.Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
