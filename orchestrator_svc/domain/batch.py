"""The aggregate: a batch's proposals, their counts, and the moves that all of its operations are made of.

Operations (add, decide, settle, cancel, retry, resolve, fire) stand in modules of their own. None reads a clock or does
I/O; each works on a `Changes` that `begin` opened and `conclude` closes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator_svc.domain import events
from orchestrator_svc.domain.binding import ArgumentsJudge, bind
from orchestrator_svc.domain.changes import BatchRecord, Changes, Timer, TimerKind
from orchestrator_svc.domain.deriving import derive_state
from orchestrator_svc.domain.graph import Graph
from orchestrator_svc.domain.lifecycle import check_move
from orchestrator_svc.domain.proposal import UNFINISHED, Condition, Proposal, Verdict
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Failure, Tier

MAX_MISSING = 100
MAX_BATCH_ARGUMENTS = 64 << 20
_MOVING = (BatchState.RUNNING, BatchState.CANCELLING)


@dataclass(slots=True, eq=False)
class Batch:
    """`number` and `session_no` are given by the store at the first commit. Times are ns since 1970 (UTC).

    `trace_parent`: the submitter's span (16 hex digits) in the trace that the batch joined, empty where it joined none.
    `ready_count`: APPROVED proposals that wait for no other. `asked`: PROPOSED ones that a person is asked for.
    `given_up`: OUTCOME_UNKNOWN ones that nobody waits for any more, since nobody said within `resolution_deadline` (ns;
    None: they are waited for) what became of them. `looking`: those for whose effect a first look is awaited.
    `argument_bytes`: of all arguments, proposed and bound; nothing is bound or added beyond `max_arguments`.
    `owned`: whether it is an orchestrator's; one that only waits for people, or is finished, belongs to nobody.
    `next_expiry`: no proposal that is asked for expires before it. `idle_end`: when an IDLE one is closed.
    `look_time`: of one that leaves the memory, when the effects of its unknown outcomes are to be looked for again.
    """

    id: str
    tenant: str
    session_id: str
    principal: str
    create_time: int
    judge: ArgumentsJudge
    name: str = ""
    labels: dict[str, str] = field(default_factory=dict[str, str])
    template: str = ""
    trace_id: str = ""
    trace_parent: str = ""
    context: str = "{}"
    open: bool = False
    max_in_flight: int = 0
    deadline: int | None = None
    idle_timeout: int = 900_000_000_000
    number: int = 0
    session_no: int = 0
    epoch: int = 1
    incarnation: str = ""
    head: int = 0
    state: BatchState = BatchState.RUNNING
    cancelling: bool = False
    finish_time: int | None = None
    deadline_time: int | None = None
    deadline_left: int | None = None
    reopened_after: int = 0
    proposals: list[Proposal] = field(default_factory=list[Proposal])
    by_key: dict[str, Proposal] = field(default_factory=dict[str, Proposal])
    graph: Graph = field(default_factory=Graph)
    counts: list[int] = field(default_factory=lambda: [0] * 11)
    asked: int = 0
    ready_count: int = 0
    given_up: int = 0
    looking: int = 0
    resolution_deadline: int | None = None
    max_arguments: int = MAX_BATCH_ARGUMENTS
    argument_bytes: int = 0
    owned: bool = True
    next_expiry: int | None = None
    idle_end: int | None = None
    look_time: int | None = None

    def proposal_id(self, proposal: Proposal) -> str:
        return f"{self.id}/{proposal.key}"

    def call_id(self, proposal: Proposal) -> str:
        """Of the last attempt."""
        return f"{self.id}/{proposal.key}/{len(proposal.attempts)}"

    def begin(self, now: int, received: float) -> Changes:
        return Changes(self, now, received)

    def move(self, changes: Changes, proposal: Proposal, to: State) -> None:
        """The one place where a state changes."""
        was = proposal.state
        check_move(proposal.key, was, to)
        self.counts[was] -= 1
        self.counts[to] += 1
        if proposal.open_dependencies == 0:
            self.ready_count += (to is State.APPROVED) - (was is State.APPROVED)
        if was is State.PROPOSED and proposal.asked_time is not None:
            self.asked -= 1
        if was is State.OUTCOME_UNKNOWN:
            self.given_up -= proposal.given_up
            self.looking -= proposal.looked_for
            if to is not State.APPROVED:
                proposal.next_time = None
        proposal.state = to
        proposal.finish_time = None if to in UNFINISHED else changes.time
        changes.touched[proposal.ordinal] = proposal

    def set_open(self, proposal: Proposal, count: int) -> None:
        """How many dependencies it still waits for."""
        if proposal.state is State.APPROVED:
            self.ready_count += (count == 0) - (proposal.open_dependencies == 0)
        proposal.open_dependencies = count

    def ended(self, changes: Changes, proposal: Proposal) -> None:
        """Lets those go on that waited for it; skips those that needed its success, and so on down."""
        stack = [proposal]
        while stack:
            parent = stack.pop()
            succeeded = parent.state is State.SUCCEEDED
            for edge in self.graph.children(parent.ordinal):
                child = self.proposals[edge.child - 1]
                if child.state is not State.PROPOSED and child.state is not State.APPROVED:
                    continue
                if succeeded or edge.when is Condition.FINISHED:
                    if child.open_dependencies == 0:
                        continue  # it was sent before its dependency was tried again
                    self.set_open(child, child.open_dependencies - 1)
                    if child.open_dependencies == 0:
                        self.unblocked(changes, child)
                else:
                    self.skip(changes, child, parent.key)
                if child.state not in UNFINISHED:
                    stack.append(child)

    def skip(self, changes: Changes, proposal: Proposal, because: str) -> None:
        proposal.skipped_from, proposal.skipped_because = proposal.state, because
        self.move(changes, proposal, State.SKIPPED)
        changes.emit(proposal, events.ProposalSkipped(because))

    def unblocked(self, changes: Changes, proposal: Proposal) -> None:
        """All its dependencies are done: binds it, then asks for it or makes it ready. May leave it FAILED."""
        if not proposal.bound:
            failure = bind(self.by_key, self.judge, changes, proposal)
            if failure is not None:
                return self.fail(changes, proposal, failure)
        if proposal.state is State.PROPOSED:
            if proposal.asked_time is None:
                self.ask(changes, proposal)
        elif self.approval_stands(proposal):
            self.make_ready(changes, proposal)
        else:
            self.move(changes, proposal, State.PROPOSED)
            self.ask(changes, proposal)

    def fail(self, changes: Changes, proposal: Proposal, failure: Failure) -> None:
        """FAILED outside an attempt. The caller lets the dependents go on."""
        proposal.failure, proposal.next_time = failure, None
        self.move(changes, proposal, State.FAILED)
        changes.emit(proposal, events.ProposalFailed(failure))

    def ask(self, changes: Changes, proposal: Proposal) -> None:
        """From now on a person is asked for it, until its approval deadline."""
        proposal.asked_time = changes.time
        proposal.expire_time = changes.time + proposal.approval_deadline
        self.asked += 1
        self.expects_expiry(proposal.expire_time)
        changes.touch(proposal)
        changes.timers.append(Timer(proposal.expire_time, TimerKind.EXPIRY, proposal.ordinal, proposal.expire_time))
        detail = events.DecisionRequested(
            proposal.tier, proposal.decidable_digest, proposal.revision, proposal.expire_time, proposal.bound
        )
        changes.emit(proposal, detail)

    def expects_expiry(self, time: int) -> None:
        """A proposal is asked for until then."""
        self.next_expiry = time if self.next_expiry is None else min(time, self.next_expiry)

    def approval_stands(self, proposal: Proposal) -> bool:
        """Whether what would run is what was approved."""
        if proposal.tier is Tier.AUTO:
            return True
        for decision in reversed(proposal.decisions):
            if decision.verdict is not Verdict.APPROVE:
                return False
            if decision.digest == proposal.bound_digest:
                return True
            if decision.digest == proposal.digest and (proposal.tier is Tier.SOFT or decision.accept_unbound):
                return True
        return False

    def make_ready(self, changes: Changes, proposal: Proposal) -> None:
        proposal.ready_time, proposal.next_time = changes.time, None
        changes.ready.append(proposal)

    def conclude(self, changes: Changes) -> Changes:
        """Derives the batch's state, says so if it changed, and takes the snapshots that the store writes."""
        if self.state.finished and changes.events and not self.reopened_after:
            self.reopened_after = changes.events[0].sequence - 1
        if changes.events or changes.touched:
            state = derive_state(self)
            if state is not self.state:
                self._enter(changes, state)
        changes.added = [(proposal, proposal.record()) for proposal in changes.new]
        new = {proposal.ordinal for proposal in changes.new}
        changes.records = {ordinal: p.record() for ordinal, p in changes.touched.items() if ordinal not in new}
        changes.publish = changes.created
        changes.sources = None
        self.owned = self.busy
        changes.header = BatchRecord(
            self.state,
            self.head,
            tuple(self.counts),
            self.asked,
            self.open,
            self.cancelling,
            self.deadline_time,
            self.deadline_left,
            self.finish_time,
            self.reopened_after,
            self.owned,
            self.wake_time,
        )
        return changes

    @property
    def busy(self) -> bool:
        """Whether there is something that an orchestrator has to do with it."""
        return self.state in _MOVING or self.counts[State.OUTCOME_UNKNOWN] > 0

    @property
    def wake_time(self) -> int | None:
        """When one that belongs to nobody has to be looked at; perhaps earlier than there is something to do."""
        if self.state is BatchState.IDLE:
            return self.idle_end
        return None if self.busy or self.state.finished else self.next_expiry

    def due_from(self, now: int) -> int | None:
        """When it has to be looked at once its owner has let go of it. An idle one has nothing to do before its end,
        but for outcomes that nobody waits for any more."""
        if self.look_time is not None:
            return self.look_time
        return now if self.busy and self.state is not BatchState.IDLE else self.wake_time

    def _enter(self, changes: Changes, state: BatchState) -> None:
        was, self.state = self.state, state
        if state.finished:
            self.open = False
            self.finish_time = changes.time
            self.deadline_time = self.deadline_left = None
            changes.emit_batch(events.BatchFinished(state, tuple(self.counts), self.missing()))
            return
        if was.finished:
            self.finish_time = None
        self._hold_deadline(changes, state)
        detail = events.BatchStateChanged(state, self.asked, self.counts[State.OUTCOME_UNKNOWN] - self.given_up)
        changes.emit_batch(detail)
        if state is BatchState.IDLE:
            self.idle_end = changes.time + self.idle_timeout
            changes.timers.append(Timer(self.idle_end, TimerKind.IDLE, 0, self.idle_end))

    def _hold_deadline(self, changes: Changes, state: BatchState) -> None:
        """The deadline stands still while nothing moves without a person."""
        if state in (BatchState.BLOCKED, BatchState.IDLE):
            if self.deadline_time is not None:
                self.deadline_left, self.deadline_time = max(0, self.deadline_time - changes.time), None
        elif self.deadline_left is not None:
            self.deadline_time, self.deadline_left = changes.time + self.deadline_left, None
            self.start_deadline(changes)

    def start_deadline(self, changes: Changes) -> None:
        if self.deadline_time is not None:
            changes.timers.append(Timer(self.deadline_time, TimerKind.DEADLINE, 0, self.deadline_time))

    def missing(self) -> tuple[str, ...]:
        """Keys that gave no result, at most 100."""
        if self.counts[State.SUCCEEDED] == len(self.proposals):
            return ()
        keys: list[str] = []
        for proposal in self.proposals:
            if proposal.state is not State.SUCCEEDED:
                keys.append(proposal.key)
                if len(keys) == MAX_MISSING:
                    break
        return tuple(keys)

    def unfinished(self) -> Sequence[Proposal]:
        return [proposal for proposal in self.proposals if proposal.state in UNFINISHED]
