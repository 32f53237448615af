"""A batch driven by hand through the domain, for tests that watch what it commits."""

from typing import Any

from orchestrator_svc.domain import adding, deciding, settling
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.digest import call_digest
from orchestrator_svc.domain.proposal import Dependency, Proposal, Verdict
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.tool import Effect, Failure, RetryPolicy, Tier, ToolKey
from orchestrator_svc.ports.observer import Observer
from tests.support.clock import ManualClock

TRACE = "0af7651916cd43dd8448eb211c80319c"


class _AcceptsAll:
    def fill_and_check(self, tool: ToolKey, value: Any) -> tuple[bool, list[str]]:
        return False, []

    def can_look(self, tool: ToolKey) -> bool:
        return False


class Flow:
    """Every step is committed at once and shown to the observer."""

    def __init__(
        self,
        observer: Observer,
        clock: ManualClock,
        *,
        open: bool = False,
        trace_id: str = TRACE,
        trace_parent: str = "",
    ) -> None:
        self.observer = observer
        self.clock = clock
        self.batch = Batch(
            "0190aaaa-batch",
            "default",
            "session-1",
            "user:ann",
            clock.time_ns(),
            _AcceptsAll(),
            name="report",
            trace_id=trace_id,
            trace_parent=trace_parent,
            open=open,
        )

    def submit(self, *specs: tuple[str, Tier] | tuple[str, Tier, str]) -> None:
        """Each: key, tier, and the key that it depends on."""
        changes = self._begin()
        adding.submitted(self.batch, changes, len(specs))
        added = adding.add(
            self.batch,
            changes,
            [_judged(spec[0], spec[1], spec[2] if len(spec) == 3 else "") for spec in specs],
            self.batch.principal,
        )
        adding.settle_added(self.batch, changes, added)
        self._commit(changes)

    def approve(self, key: str, *, reject: bool = False) -> None:
        changes = self._begin()
        proposal = self.proposal(key)
        verdict = Verdict.REJECT if reject else Verdict.APPROVE
        decision = deciding.Decision(key, verdict, digest=proposal.decidable_digest)
        deciding.make(self.batch, changes, decision, "user:bob")
        self._commit(changes)

    def dispatch(self, key: str, *, executor_id: str = "executor-1", queue_wait: int = 0) -> bytes:
        """Returns the attempt's span id."""
        changes = self._begin()
        proposal = self.proposal(key)
        settling.dispatch(self.batch, changes, proposal, executor_id, "boot-1", queue_wait)
        span_id = self.observer.dispatching(self.batch, proposal)
        self._commit(changes)
        return span_id

    def end(self, key: str, failure: Failure | None = None) -> None:
        changes = self._begin()
        ending = Ending(None if failure else "{}", failure, self.clock.time_ns(), 0, 0, 0)
        settling.settle(self.batch, changes, self.proposal(key), ending)
        self._commit(changes)

    def proposal(self, key: str) -> Proposal:
        return self.batch.by_key[key]

    def _begin(self) -> Changes:
        return self.batch.begin(self.clock.time_ns(), self.clock.monotonic())

    def _commit(self, changes: Changes) -> None:
        self.observer.committed([self.batch.conclude(changes)])


def _judged(key: str, tier: Tier, depends_on: str = "") -> adding.Judged:
    tool = ToolKey("echo", "1")
    return adding.Judged(
        key,
        "agent",
        tool,
        Effect.READ,
        tier,
        "{}",
        call_digest(tool, "{}"),
        None,
        (Dependency(depends_on),) if depends_on else (),
        "",
        "",
        {},
        "",
        None,
        RetryPolicy(initial_delay=0),
        3_600_000_000_000,
    )
