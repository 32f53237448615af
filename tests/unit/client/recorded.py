"""Events as an orchestrator would record them, for the parts of the client that only read events."""

from datetime import UTC, datetime, timedelta
from typing import Any

from greenlight.orchestrator.v1 import batch_pb2, event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BATCH = "0195a000-0000-7000-8000-000000000001"

PROPOSED = proposal_pb2.PROPOSAL_STATE_PROPOSED
APPROVED = proposal_pb2.PROPOSAL_STATE_APPROVED
RUNNING = proposal_pb2.PROPOSAL_STATE_RUNNING
SUCCEEDED = proposal_pb2.PROPOSAL_STATE_SUCCEEDED
FAILED = proposal_pb2.PROPOSAL_STATE_FAILED
REJECTED = proposal_pb2.PROPOSAL_STATE_REJECTED
SKIPPED = proposal_pb2.PROPOSAL_STATE_SKIPPED
UNKNOWN = proposal_pb2.PROPOSAL_STATE_OUTCOME_UNKNOWN


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Log:
    """Numbers events from 1, as a batch does."""

    def __init__(self, batch_id: str = BATCH) -> None:
        self.events: list[event_pb2.Event] = []
        self._batch_id = batch_id

    def batch(self, seconds: float, **detail: Any) -> "Log":
        return self._append(seconds, **detail)

    def proposal(
        self,
        seconds: float,
        key: str,
        state: proposal_pb2.ProposalState.ValueType,
        *,
        agent: str = "agent",
        attempt: int = 0,
        **detail: Any,
    ) -> "Log":
        return self._append(seconds, key=key, agent=agent, state=state, attempt=attempt, **detail)

    def submitted(self, total: int, name: str = "research") -> "Log":
        detail = event_pb2.BatchSubmitted(session_id="s", name=name, total=total, trace_id="ab" * 16)
        return self.batch(0, batch_submitted=detail)

    def added(
        self, key: str, *after: str, state: proposal_pb2.ProposalState.ValueType = APPROVED, agent: str = "agent"
    ) -> "Log":
        detail = event_pb2.ProposalAdded(
            ordinal=len(self.events), tool="look", tier=tool_pb2.TIER_AUTO, depends_on=list(after)
        )
        return self.proposal(0, key, state, agent=agent, proposal_added=detail)

    def asked(self, seconds: float, key: str, tier: tool_pb2.Tier.ValueType = tool_pb2.TIER_HARD) -> "Log":
        detail = event_pb2.DecisionRequested(tier=tier, digest="sha256:00")
        detail.expire_time.FromDatetime(at(seconds + 3600))
        return self.proposal(seconds, key, PROPOSED, decision_requested=detail)

    def dispatched(self, seconds: float, key: str, attempt: int = 1, agent: str = "agent") -> "Log":
        detail = event_pb2.AttemptDispatched(executor_id="e")
        return self.proposal(seconds, key, RUNNING, attempt=attempt, agent=agent, attempt_dispatched=detail)

    def succeeded(self, seconds: float, key: str, result: str = "1", attempt: int = 1, agent: str = "agent") -> "Log":
        detail = event_pb2.ProposalSucceeded(result_json=result)
        return self.proposal(seconds, key, SUCCEEDED, attempt=attempt, agent=agent, proposal_succeeded=detail)

    def failed(self, seconds: float, key: str, message: str = "no", attempt: int = 1) -> "Log":
        detail = event_pb2.ProposalFailed(failure=failure(message))
        return self.proposal(seconds, key, FAILED, attempt=attempt, proposal_failed=detail)

    def retrying(self, seconds: float, key: str, delay: float, attempt: int = 1) -> "Log":
        detail = event_pb2.AttemptRetrying(failure=failure("busy"))
        detail.next_time.FromDatetime(at(seconds + delay))
        return self.proposal(seconds, key, APPROVED, attempt=attempt, attempt_retrying=detail)

    def state(self, seconds: float, state: batch_pb2.BatchState.ValueType, decisions: int = 0) -> "Log":
        blocked_on = batch_pb2.BlockedOn(decisions=decisions)
        return self.batch(seconds, batch_state_changed=event_pb2.BatchStateChanged(state=state, blocked_on=blocked_on))

    def finished(self, seconds: float, state: batch_pb2.BatchState.ValueType, **counts: int) -> "Log":
        detail = event_pb2.BatchFinished(state=state, counts=batch_pb2.Counts(**counts))
        return self.batch(seconds, batch_finished=detail)

    def _append(self, seconds: float, **fields: Any) -> "Log":
        event = event_pb2.Event(batch_id=self._batch_id, sequence=len(self.events) + 1, **fields)
        event.time.FromDatetime(at(seconds))
        self.events.append(event)
        return self


def failure(message: str) -> tool_pb2.Failure:
    return tool_pb2.Failure(failure_class=tool_pb2.FAILURE_CLASS_TRANSIENT, reason="TOOL_RAISED", message=message)
