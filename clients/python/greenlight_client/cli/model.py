"""What a watcher knows of a batch: a model that events, and nothing else, move on. No output, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from greenlight_client.cli.formats import moment
from greenlight_client.wire import ENDED_PROPOSAL_STATES, FINISHED_BATCH_STATES

State = proposal_pb2.ProposalState.ValueType

_NOT_RUN = (
    proposal_pb2.PROPOSAL_STATE_PROPOSED,
    proposal_pb2.PROPOSAL_STATE_APPROVED,
)


@dataclass(slots=True)
class Row:
    """One proposal as it stands."""

    key: str
    ordinal: int
    agent: str
    tool: str
    tier: tool_pb2.Tier.ValueType = tool_pb2.TIER_UNSPECIFIED
    effect: tool_pb2.Effect.ValueType = tool_pb2.EFFECT_UNSPECIFIED
    title: str = ""
    depends_on: tuple[str, ...] = ()
    state: State = proposal_pb2.PROPOSAL_STATE_UNSPECIFIED
    since: datetime | None = None
    attempt: int = 0
    dispatched: datetime | None = None
    ended: datetime | None = None
    asked: event_pb2.DecisionRequested | None = None
    decision: proposal_pb2.DecisionRecord | None = None
    retry_at: datetime | None = None
    fraction: float | None = None
    message: str = ""
    failure: tool_pb2.Failure | None = None
    skipped_because: str = ""
    result_json: str = ""
    waiting: proposal_pb2.Waiting | None = None

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED_PROPOSAL_STATES

    def elapsed(self, now: datetime) -> timedelta | None:
        """From the first dispatch to the end, or to now; None before it runs."""
        if self.dispatched is None:
            return None
        return max(timedelta(0), (self.ended or now) - self.dispatched)


@dataclass(slots=True)
class AgentView:
    """One agent's status, by the same rule as the server's."""

    name: str
    status: batch_pb2.AgentStatus.ValueType
    done: int
    total: int


@dataclass(slots=True)
class BatchModel:
    """`apply` each event once, in order; `note_waiting` adds what only the server knows of why something waits."""

    batch_id: str = ""
    session_id: str = ""
    name: str = ""
    template: str = ""
    trace_id: str = ""
    open: bool = False
    state: batch_pb2.BatchState.ValueType = batch_pb2.BATCH_STATE_UNSPECIFIED
    blocked_on: batch_pb2.BlockedOn = field(default_factory=batch_pb2.BlockedOn)
    sequence: int = 0
    submitted: datetime | None = None
    finished: datetime | None = None
    last: datetime | None = None
    missing: tuple[str, ...] = ()
    rows: dict[str, Row] = field(default_factory=dict[str, Row])

    @property
    def is_finished(self) -> bool:
        return self.state in FINISHED_BATCH_STATES

    @property
    def done(self) -> int:
        return sum(row.is_ended for row in self.rows.values())

    def unmet(self, row: Row) -> list[str]:
        """The dependencies that have not ended yet."""
        return [key for key in row.depends_on if key in self.rows and not self.rows[key].is_ended]

    def agents(self) -> list[AgentView]:
        """By first appearance."""
        groups: dict[str, list[Row]] = {}
        for row in self.rows.values():
            groups.setdefault(row.agent, []).append(row)
        return [_agent(name, rows) for name, rows in groups.items()]

    def note_waiting(self, proposals: Iterable[proposal_pb2.Proposal]) -> None:
        """Takes over the server's word on why proposals wait (capacity, executor), as of now."""
        for proposal in proposals:
            row = self.rows.get(proposal.key)
            if row is not None and row.state == proposal.state:
                row.waiting = proposal.waiting if proposal.HasField("waiting") else None

    def apply(self, event: event_pb2.Event) -> Row | None:
        """Moves on; returns the row that the event is about, None for one about the batch."""
        at = moment(event.time)
        self.batch_id = event.batch_id
        self.sequence = event.sequence
        self.last = at or self.last
        if not event.key:
            self._apply_to_batch(event, at)
            return None
        row = self.rows.get(event.key)
        if row is None:
            row = self.rows[event.key] = Row(event.key, len(self.rows) + 1, event.agent, "")
        _apply_to_row(row, event, at)
        return row

    def _apply_to_batch(self, event: event_pb2.Event, at: datetime | None) -> None:
        match event.WhichOneof("detail"):
            case "batch_submitted":
                detail = event.batch_submitted
                self.session_id, self.name, self.open = detail.session_id, detail.name, detail.open
                self.template, self.trace_id, self.submitted = detail.template, detail.trace_id, at
                self.state = batch_pb2.BATCH_STATE_RUNNING
            case "batch_closed":
                self.open = False
            case "batch_cancel_requested":
                self.state = batch_pb2.BATCH_STATE_CANCELLING
            case "batch_state_changed":
                self.state = event.batch_state_changed.state
                self.blocked_on = event.batch_state_changed.blocked_on
                self.finished, self.missing = None, ()
            case "batch_finished":
                self.state = event.batch_finished.state
                self.finished, self.missing = at, tuple(event.batch_finished.missing)
            case _:
                pass


def _apply_to_row(row: Row, event: event_pb2.Event, at: datetime | None) -> None:
    if event.state != row.state:
        row.state, row.since = event.state, at
        row.waiting = row.retry_at = None
        row.ended = at if row.is_ended else None
    row.attempt = max(row.attempt, event.attempt)
    match event.WhichOneof("detail"):
        case "proposal_added":
            detail = event.proposal_added
            row.ordinal, row.agent, row.tool, row.title = detail.ordinal, event.agent, detail.tool, detail.title
            row.tier, row.effect, row.depends_on = detail.tier, detail.effect, tuple(detail.depends_on)
            row.failure = detail.failure if detail.HasField("failure") else None
        case "decision_requested":
            row.asked = event.decision_requested
        case "proposal_decided":
            row.decision, row.asked = event.proposal_decided.decision, None
        case "proposal_expired":
            row.asked = None
        case "attempt_dispatched":
            row.dispatched = row.dispatched or at
            row.fraction, row.message, row.failure = None, "", None
        case "attempt_progressed":
            progress = event.attempt_progressed
            row.fraction = progress.fraction if progress.HasField("fraction") else row.fraction
            row.message = progress.message or row.message
        case _:
            _apply_ending(row, event)


def _apply_ending(row: Row, event: event_pb2.Event) -> None:
    match event.WhichOneof("detail"):
        case "attempt_retrying":
            row.failure = event.attempt_retrying.failure
            row.retry_at = moment(event.attempt_retrying.next_time)
        case "proposal_succeeded":
            row.result_json, row.failure = event.proposal_succeeded.result_json, None
        case "proposal_failed":
            row.failure = event.proposal_failed.failure
        case "outcome_unknown":
            row.failure = event.outcome_unknown.failure
        case "proposal_skipped":
            row.skipped_because = event.proposal_skipped.because
        case "proposal_cancelled":
            row.message = event.proposal_cancelled.reason
        case "proposal_resolved":
            row.result_json = event.proposal_resolved.result_json
        case "proposal_retried" | "proposal_unskipped":
            row.failure, row.skipped_because, row.message, row.dispatched = None, "", "", None
        case _:
            pass


def _agent(name: str, rows: list[Row]) -> AgentView:
    done = sum(row.is_ended for row in rows)
    if done == len(rows):
        succeeded = all(row.state == proposal_pb2.PROPOSAL_STATE_SUCCEEDED for row in rows)
        status = batch_pb2.AGENT_STATUS_COMPLETE if succeeded else batch_pb2.AGENT_STATUS_ERROR
    elif all(row.state in _NOT_RUN and not row.attempt for row in rows):
        status = batch_pb2.AGENT_STATUS_IDLE
    else:
        status = batch_pb2.AGENT_STATUS_RUNNING
    return AgentView(name, status, done, len(rows))
