"""A proposal: what was proposed, what was decided, every attempt, what it came to. Times are ns since 1970 (UTC)."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from orchestrator_svc.domain.canonical import size_of
from orchestrator_svc.domain.references import References
from orchestrator_svc.domain.tool import Effect, Failure, KnownEffect, RetryPolicy, Tier, ToolKey


class ProposalState(IntEnum):
    """Where a proposal stands. Numbers are those of the wire."""

    PROPOSED = 1
    APPROVED = 2
    RUNNING = 3
    SUCCEEDED = 4
    FAILED = 5
    REJECTED = 6
    EXPIRED = 7
    SKIPPED = 8
    CANCELLED = 9
    OUTCOME_UNKNOWN = 10


UNFINISHED = frozenset(
    {ProposalState.PROPOSED, ProposalState.APPROVED, ProposalState.RUNNING, ProposalState.OUTCOME_UNKNOWN}
)


class Condition(IntEnum):
    """When a dependency counts as done."""

    SUCCEEDED = 1
    FINISHED = 2


@dataclass(frozen=True, slots=True)
class Dependency:
    """On another proposal of the batch, by key."""

    key: str
    when: Condition = Condition.SUCCEEDED


@dataclass(slots=True)
class ProposalSpec:
    """A proposal as its proposer sends it: nothing judged, nothing filled in. Empty and None: the default.

    Nobody changes one; it is not frozen because making a thousand of those takes 1.4 ms longer.
    """

    tool: str
    key: str = ""
    agent: str = ""
    version: str = ""
    arguments: str = "{}"  # JSON text
    tier: Tier | None = None
    depends_on: tuple[Dependency, ...] = ()
    title: str = ""
    rationale: str = ""
    labels: dict[str, str] = field(default_factory=dict[str, str])
    idempotency_key: str = ""
    timeout: int | None = None
    retry: RetryPolicy | None = None
    approval_deadline: int | None = None


class Verdict(IntEnum):
    """Which way it was decided."""

    APPROVE = 1
    REJECT = 2


class DecisionRecord(NamedTuple):
    """A decision as it stands on record. `principal` is `kind:name`."""

    verdict: Verdict
    principal: str
    message: str
    digest: str
    edited: bool
    accept_unbound: bool
    soft_confirmed: bool
    time: int


class Timing(NamedTuple):
    """Where the time of an attempt went, in ns; None: not known."""

    queue_wait: int | None = None
    executor_queue: int | None = None
    tool: int | None = None
    wire: int | None = None
    record: int | None = None


class Finding(IntEnum):
    """What a look for the effect of an unknown outcome came to. Numbers are those of the wire."""

    FOUND = 1
    NOT_FOUND = 2
    FAILED = 3


class Probe(NamedTuple):
    """The last look; `number`: which one it was. `message`: why it FAILED."""

    finding: Finding
    time: int
    number: int
    message: str = ""


class Attempt(NamedTuple):
    """One send to an executor. `start_time` is by the executor's wall clock; `finish_sequence`: of its last event.

    `over`, where its effect is POSSIBLE: its executor has said that it is at work no more. `look_until`: the first look
    for its effect is awaited, up to then.
    """

    number: int
    executor_id: str
    boot_id: str
    dispatch_time: int
    queue_wait: int
    start_time: int | None = None
    finish_time: int | None = None
    failure: Failure | None = None
    timing: Timing | None = None
    finish_sequence: int = 0
    over: bool = False
    probe: Probe | None = None
    look_until: int | None = None

    @property
    def may_still_run(self) -> bool:
        """It was settled, and nobody has said that it is over."""
        return self.failure is not None and self.failure.known_effect is KnownEffect.POSSIBLE and not self.over


class ProposalRecord(NamedTuple):
    """Everything of a proposal that changes after it was added: what one row update writes."""

    ordinal: int
    state: ProposalState
    revision: int
    arguments: str
    digest: str
    original_arguments: str
    bound_arguments: str
    bound_digest: str
    decisions: tuple[DecisionRecord, ...]
    attempts: tuple[Attempt, ...]
    uncounted: int
    result: str | None
    failure: Failure | None
    skipped_because: str
    skipped_from: ProposalState | None
    missing_inputs: tuple[str, ...]
    asked_time: int | None
    expire_time: int | None
    next_time: int | None
    ready_time: int | None
    finish_time: int | None
    operator: str
    operator_reason: str
    cancel_requested: bool


@dataclass(slots=True, eq=False)
class Proposal:
    """One proposal of a batch in memory. Only `Batch` changes it, and only along lifecycle.MOVES.

    `arguments` and `digest` are the proposed (canonical, references unfilled); `bound_*` those that run, empty until
    they are known (at once where there are no references). `asked_time`: since when a decision is asked for (None: not
    yet). `added_sequence`: of its first event. `next_time`: of the next attempt while it backs off; of one whose
    outcome is unknown, when it is given up (None: never, or it is).
    `uncounted`: how many attempts were made before it was begun anew by hand: those are history, to every limit.
    `open_dependencies` is the graph's, kept here because it is read at each settlement.
    """

    ordinal: int
    key: str
    agent: str
    tool: ToolKey
    effect: Effect
    tier: Tier
    arguments: str
    digest: str
    references: References | None
    depends_on: tuple[Dependency, ...]
    title: str
    rationale: str
    labels: dict[str, str]
    idempotency_key: str
    timeout: int | None
    retry: RetryPolicy
    approval_deadline: int
    create_time: int
    principal: str
    state: ProposalState
    added_sequence: int = 0
    revision: int = 1
    original_arguments: str = ""
    bound_arguments: str = ""
    bound_digest: str = ""
    decisions: tuple[DecisionRecord, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    uncounted: int = 0
    result: str | None = None
    failure: Failure | None = None
    skipped_because: str = ""
    skipped_from: ProposalState | None = None
    missing_inputs: tuple[str, ...] = ()
    asked_time: int | None = None
    expire_time: int | None = None
    next_time: int | None = None
    ready_time: int | None = None
    finish_time: int | None = None
    operator: str = ""
    operator_reason: str = ""
    open_dependencies: int = 0
    cancel_requested: bool = False

    @property
    def given_up(self) -> bool:
        """Its outcome is unknown, and nobody waits for it any more."""
        return self.state is ProposalState.OUTCOME_UNKNOWN and self.finish_time is not None

    @property
    def looked_for(self) -> bool:
        """Its outcome is unknown, and the first look for its effect is awaited: nobody is asked yet."""
        unknown = self.state is ProposalState.OUTCOME_UNKNOWN
        return unknown and bool(self.attempts) and self.attempts[-1].look_until is not None

    @property
    def ended(self) -> bool:
        """Whether those that depend on it need not wait any more."""
        return self.state not in UNFINISHED or self.given_up

    @property
    def bound(self) -> bool:
        """Whether what runs is known."""
        return self.bound_digest != ""

    @property
    def under_way(self) -> bool:
        """Of a waiting one: it was sent before. It goes on as it was sent, whatever is tried again above it."""
        return self.next_time is not None or len(self.attempts) > self.uncounted

    @property
    def decidable_digest(self) -> str:
        """What a decision must name now."""
        return self.bound_digest or self.digest

    @property
    def argument_bytes(self) -> int:
        """What its arguments take: proposed, before an edit, and bound where those are others."""
        bound = self.bound_arguments if self.references is not None else ""
        return size_of(self.arguments) + size_of(self.original_arguments) + size_of(bound)

    def record(self) -> ProposalRecord:
        """A snapshot for the store: later moves don't reach into a commit that is under way."""
        return ProposalRecord(
            self.ordinal,
            self.state,
            self.revision,
            self.arguments,
            self.digest,
            self.original_arguments,
            self.bound_arguments,
            self.bound_digest,
            self.decisions,
            self.attempts,
            self.uncounted,
            self.result,
            self.failure,
            self.skipped_because,
            self.skipped_from,
            self.missing_inputs,
            self.asked_time,
            self.expire_time,
            self.next_time,
            self.ready_time,
            self.finish_time,
            self.operator,
            self.operator_reason,
            self.cancel_requested,
        )
