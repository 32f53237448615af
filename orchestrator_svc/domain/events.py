"""The numbered facts of a batch: one envelope, one detail each, in past tense. Times are ns since 1970 (UTC)."""

from typing import NamedTuple

from orchestrator_svc.domain.proposal import DecisionRecord, Finding, ProposalState, Timing
from orchestrator_svc.domain.states import BatchState, Resolution
from orchestrator_svc.domain.tool import Effect, Failure, Tier


class BatchSubmitted(NamedTuple):
    session_id: str
    name: str
    total: int
    open: bool
    trace_id: str
    template: str
    principal: str


class ProposalAdded(NamedTuple):
    ordinal: int
    tool: str
    version: str
    tier: Tier
    effect: Effect
    title: str
    depends_on: tuple[str, ...]
    failure: Failure | None


class DecisionRequested(NamedTuple):
    tier: Tier
    digest: str
    revision: int
    expire_time: int
    bound: bool


class ProposalDecided(NamedTuple):
    decision: DecisionRecord
    revision: int


class ProposalExpired(NamedTuple):
    revision: int


class ProposalBound(NamedTuple):
    bound_digest: str
    revision: int
    missing_inputs: tuple[str, ...]


class AttemptDispatched(NamedTuple):
    executor_id: str


class AttemptStarted(NamedTuple):
    start_time: int


class AttemptProgressed(NamedTuple):
    fraction: float | None
    message: str


class AttemptChunkReceived(NamedTuple):
    number: int
    chunk: str


class AttemptRetrying(NamedTuple):
    failure: Failure
    next_time: int
    timing: Timing | None


class ProposalSucceeded(NamedTuple):
    result: str
    start_time: int | None
    timing: Timing | None


class ProposalFailed(NamedTuple):
    failure: Failure
    start_time: int | None = None
    timing: Timing | None = None


class ProposalSkipped(NamedTuple):
    because: str


class ProposalCancelled(NamedTuple):
    principal: str
    reason: str


class OutcomeBecameUnknown(NamedTuple):
    failure: Failure


class OutcomeProbed(NamedTuple):
    finding: Finding
    message: str


class OutcomeGivenUp(NamedTuple):
    deadline: int


class OutcomeArrivedLate(NamedTuple):
    result: str | None
    failure: Failure | None


class ProposalResolved(NamedTuple):
    resolution: Resolution
    principal: str
    reason: str
    result: str
    earlier_may_still_run: bool = False


class ProposalRetried(NamedTuple):
    principal: str
    reason: str
    revision: int


class ProposalUnskipped(NamedTuple):
    revision: int


class BatchCancelRequested(NamedTuple):
    principal: str
    reason: str


class BatchClosed(NamedTuple):
    principal: str


class BatchStateChanged(NamedTuple):
    state: BatchState
    decisions: int
    resolutions: int


class BatchFinished(NamedTuple):
    state: BatchState
    counts: tuple[int, ...]
    missing: tuple[str, ...]


Detail = (
    BatchSubmitted
    | ProposalAdded
    | DecisionRequested
    | ProposalDecided
    | ProposalExpired
    | ProposalBound
    | AttemptDispatched
    | AttemptStarted
    | AttemptProgressed
    | AttemptChunkReceived
    | AttemptRetrying
    | ProposalSucceeded
    | ProposalFailed
    | ProposalSkipped
    | ProposalCancelled
    | OutcomeBecameUnknown
    | OutcomeProbed
    | OutcomeGivenUp
    | OutcomeArrivedLate
    | ProposalResolved
    | ProposalRetried
    | ProposalUnskipped
    | BatchCancelRequested
    | BatchClosed
    | BatchStateChanged
    | BatchFinished
)


class Event(NamedTuple):
    """`key` empty: of the batch; `attempt` 0: none yet; `state`: of the proposal after it (None: of the batch)."""

    sequence: int
    time: int
    key: str
    agent: str
    attempt: int
    state: ProposalState | None
    detail: Detail
