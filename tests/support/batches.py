"""Domain batches, built by the domain's own operations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator_svc.domain import adding, deciding, firing, retrying, settling
from orchestrator_svc.domain.adding import Judged
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.canonical import canonical
from orchestrator_svc.domain.changes import BatchWrite, Changes, CommandRecord, Timer, TimerKind, merge
from orchestrator_svc.domain.deciding import Decision, Edit
from orchestrator_svc.domain.digest import call_digest
from orchestrator_svc.domain.proposal import Condition, Dependency, Proposal, Verdict
from orchestrator_svc.domain.references import find_references
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Effect, Failure, FailureClass, KnownEffect, RetryPolicy, Tier, ToolKey
from shared.kernel.ids import IdSource

START = 1_767_225_600_000_000_000
MINUTE = 60_000_000_000
GRACE = 5_000_000_000
_ids = IdSource()


@dataclass(frozen=True, slots=True)
class AnyArguments:
    """An `ArgumentsJudge` to whom everything is right. `looks`: somebody can look for the effects of calls."""

    looks: bool = False

    def fill_and_check(self, tool: ToolKey, value: Any) -> tuple[bool, list[str]]:
        return False, []

    def can_look(self, tool: ToolKey) -> bool:
        return self.looks


def judged(
    key: str,
    *,
    tool: str = "noop",
    version: str = "1.0",
    effect: Effect = Effect.READ,
    tier: Tier = Tier.AUTO,
    arguments: str = "{}",
    depends_on: Sequence[Dependency] = (),
    agent: str = "agent",
    labels: dict[str, str] | None = None,
    retry: RetryPolicy | None = None,
    failure: Failure | None = None,
    title: str = "",
    approval_deadline: int = 30 * MINUTE,
) -> Judged:
    """A proposal as the submission finds it: references found, and their keys among the dependencies."""
    value, text = canonical(arguments)
    references = find_references(value)
    edges = {edge.key: edge for edge in depends_on}
    for name, has_default in (references.by_key() if references else {}).items():
        edges.setdefault(name, Dependency(name, Condition.FINISHED if has_default else Condition.SUCCEEDED))
    return Judged(
        key=key,
        agent=agent,
        tool=ToolKey(tool, version),
        effect=effect,
        tier=tier,
        arguments=text,
        digest="" if failure else call_digest(ToolKey(tool, version), text),
        references=None if failure else references,
        depends_on=tuple(edges.values()),
        title=title,
        rationale="",
        labels=labels or {},
        idempotency_key="",
        timeout=None,
        retry=retry or RetryPolicy(),
        approval_deadline=approval_deadline,
        failure=failure,
    )


def look_of(proposal: Proposal) -> Timer:
    """When the first look for the effect of its last attempt is awaited no more."""
    due = proposal.attempts[-1].look_until or 0
    return Timer(due, TimerKind.LOOK, proposal.ordinal, due)


@dataclass
class Builder:
    """One batch and its time. Each operation gives the changes that the recorder would get, concluded."""

    tenant: str = "default"
    session_id: str = field(default_factory=_ids.new)
    now: int = START
    incarnation: str = "incarnation-1"
    batch: Batch = field(init=False)

    def __post_init__(self) -> None:
        self.batch = Batch(
            id=_ids.new(),
            tenant=self.tenant,
            session_id=self.session_id,
            principal="user:ann",
            create_time=self.now,
            judge=AnyArguments(),
            trace_id="0" * 31 + "1",
            incarnation=self.incarnation,
        )

    def begin(self) -> Changes:
        self.now += 1_000_000
        return self.batch.begin(self.now, 0.0)

    def submit(self, items: Sequence[Judged], command: CommandRecord | None = None) -> Changes:
        changes = self.begin()
        changes.command = command
        adding.submitted(self.batch, changes, len(items))
        return self._add(changes, items)

    def add(self, items: Sequence[Judged]) -> Changes:
        return self._add(self.begin(), items)

    def _add(self, changes: Changes, items: Sequence[Judged]) -> Changes:
        added = adding.add(self.batch, changes, list(items), "user:ann")
        adding.settle_added(self.batch, changes, added)
        return self.batch.conclude(changes)

    def dispatch(self, *keys: str) -> Changes:
        changes = self.begin()
        for key in keys:
            settling.dispatch(self.batch, changes, self.batch.by_key[key], "executor-1", "boot-1", 1000)
        return self.batch.conclude(changes)

    def succeed(self, *keys: str, result: str = '{"ok":true}') -> Changes:
        changes = self.begin()
        for key in keys:
            ending = Ending(result, None, self.now, 1000, 2000, 3000)
            settling.settle(self.batch, changes, self.batch.by_key[key], ending)
        return self.batch.conclude(changes)

    def fail(self, *keys: str, failure: Failure | None = None) -> Changes:
        changes = self.begin()
        for key in keys:
            ending = Ending(None, failure or broken(), self.now, 1000, 2000, 3000)
            settling.settle(self.batch, changes, self.batch.by_key[key], ending)
        return self.batch.conclude(changes)

    def approve(self, *keys: str, edited: str = "") -> Changes:
        return self._decide(keys, approve=True, edited=edited)

    def reject(self, *keys: str) -> Changes:
        return self._decide(keys, approve=False)

    def retry(self, *keys: str) -> Changes:
        changes = self.begin()
        for key in keys:
            retrying.retry(self.batch, changes, self.batch.by_key[key], "user:bob", "again")
        return self.batch.conclude(changes)

    def expire(self, key: str) -> Changes:
        timer = self.expiry_of(self.batch.by_key[key])
        self.now = max(self.now, timer.due)
        changes = self.begin()
        firing.fire(self.batch, changes, timer, GRACE)
        return self.batch.conclude(changes)

    def give_up(self, key: str) -> Changes:
        """Of one whose outcome is unknown; the batch has a resolution deadline."""
        proposal = self.batch.by_key[key]
        due = proposal.next_time
        assert due is not None
        self.now = max(self.now, due)
        changes = self.begin()
        firing.fire(self.batch, changes, Timer(due, TimerKind.RESOLUTION, proposal.ordinal, due), GRACE)
        return self.batch.conclude(changes)

    def expiry_of(self, proposal: Proposal) -> Timer:
        assert proposal.expire_time is not None
        return Timer(proposal.expire_time, TimerKind.EXPIRY, proposal.ordinal, proposal.expire_time)

    def _decide(self, keys: Sequence[str], *, approve: bool, edited: str = "") -> Changes:
        changes = self.begin()
        for key in keys:
            self.decide_in(changes, self.batch.by_key[key], approve=approve, edited=edited)
        return self.batch.conclude(changes)

    def decide_in(self, changes: Changes, proposal: Proposal, *, approve: bool, edited: str = "") -> None:
        edit = Edit(edited, call_digest(proposal.tool, edited)) if edited and approve else None
        decision = Decision(
            proposal.key,
            Verdict.APPROVE if approve else Verdict.REJECT,
            digest=proposal.decidable_digest,
            edit=edit,
            accept_unbound=not proposal.bound,
        )
        deciding.make(self.batch, changes, decision, "user:bob")


def broken(
    failure_class: FailureClass = FailureClass.PERMANENT, known_effect: KnownEffect = KnownEffect.NONE
) -> Failure:
    return Failure(failure_class, known_effect, "TOOL_RAISED", "it broke")


def write(*changes: Changes) -> list[BatchWrite]:
    """As the recorder hands them over."""
    return merge(changes)
