"""A batch driven by anything that can happen to it, in any order: what must hold, holds after each step."""

from collections.abc import Callable, Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator_svc.domain import adding, cancelling, deciding, firing, probing, resuming, retrying, settling
from orchestrator_svc.domain.adding import Judged
from orchestrator_svc.domain.changes import Changes, Timer, TimerKind
from orchestrator_svc.domain.deciding import Decision, Edit
from orchestrator_svc.domain.digest import call_digest
from orchestrator_svc.domain.proposal import Condition, Dependency, Finding, Proposal, Verdict
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.domain.tool import Effect, Failure, FailureClass, KnownEffect, RetryPolicy, Tier
from tests.support.batches import GRACE, AnyArguments, Builder, broken, judged, look_of
from tests.support.invariants import check_all, check_moves, check_sequences

CONDITIONS = st.sampled_from(Condition)
RESULTS = st.sampled_from(['{"n":1}', '{"n":2}', "[]", "null"])
EDGES = st.lists(st.tuples(st.integers(0, 30), CONDITIONS), max_size=3)
SHAPES = st.lists(
    st.tuples(
        st.sampled_from(Effect), st.sampled_from(Tier), EDGES, st.sampled_from(["", "plain", "default"]), st.booleans()
    ),
    min_size=1,
    max_size=5,
)


def items(shapes: Sequence[tuple[Effect, Tier, list[tuple[int, Condition]], str, bool]], first: int) -> list[Judged]:
    """Edges to earlier ones, or within the request to any (turned so that there is no cycle)."""
    made: list[Judged] = []
    order = list(range(first + len(shapes)))
    if shapes[0][4]:  # later ones of a request come first in its graph
        order[first:] = reversed(order[first:])
    for position, (effect, tier, edges, reference, sound) in enumerate(shapes):
        number = first + position
        before = order[: order.index(number)]
        depends = {f"p{before[at % len(before)]}": when for at, when in edges} if before else {}
        source = next(iter(depends), None)
        arguments = '{"x":1}'
        if source is not None and reference:
            default = ',"default":0' if reference == "default" else ""
            arguments = f'{{"x":{{"$from":"{source}","path":"/n"{default}}}}}'
        made.append(
            judged(
                f"p{number}",
                effect=effect,
                tier=tier,
                arguments=arguments,
                depends_on=[Dependency(key, when) for key, when in depends.items()],
                retry=RetryPolicy(2, 1000, 1000),
                failure=None if sound or depends else broken(),
            )
        )
    return made


class BatchMachine(RuleBasedStateMachine):
    """Timers that were made are kept, so that old ones fire too."""

    def __init__(self) -> None:
        super().__init__()
        self.builder = Builder()
        self.batch = self.builder.batch
        self.timers: list[Timer] = []
        self.rejected: set[str] = set()

    def do(self, operation: Callable[[Changes], object]) -> None:
        before = {proposal.key: proposal.state for proposal in self.batch.proposals}
        head = self.batch.head
        changes = self.builder.begin()
        operation(changes)
        self.batch.conclude(changes)
        check_sequences(head, changes)
        check_moves(before, changes.events)
        self.timers += changes.timers
        moved = {p.ordinal for p in self.batch.proposals if before.get(p.key) is not p.state}
        assert moved <= {*changes.records} | {p.ordinal for p, _ in changes.added}, "a move that is not written"
        self.rejected |= {p.key for p in self.batch.proposals if p.state is State.REJECTED}

    def one(self, pick: int, *states: State) -> Proposal | None:
        found = [proposal for proposal in self.batch.proposals if proposal.state in states]
        return found[pick % len(found)] if found else None

    @initialize(
        shapes=SHAPES,
        is_open=st.booleans(),
        deadline=st.sampled_from([None, 10_000_000]),
        resolution=st.sampled_from([None, 1_000_000]),
        looks=st.booleans(),
    )
    def submit(
        self,
        shapes: list[tuple[Effect, Tier, list[tuple[int, Condition]], str, bool]],
        is_open: bool,
        deadline: int | None,
        resolution: int | None,
        looks: bool,
    ) -> None:
        self.batch.judge = AnyArguments(looks)
        self.batch.open, self.batch.deadline, self.batch.resolution_deadline = is_open, deadline, resolution

        def operation(changes: Changes) -> None:
            adding.submitted(self.batch, changes, len(shapes))
            self._add(changes, items(shapes, 0))

        self.do(operation)

    def _add(self, changes: Changes, new: list[Judged]) -> None:
        adding.settle_added(self.batch, changes, adding.add(self.batch, changes, new, "user:ann"))

    @precondition(lambda self: self.batch.open and not self.batch.cancelling and len(self.batch.proposals) < 15)
    @rule(shapes=SHAPES)
    def add(self, shapes: list[tuple[Effect, Tier, list[tuple[int, Condition]], str, bool]]) -> None:
        self.do(lambda changes: self._add(changes, items(shapes, len(self.batch.proposals))))

    @precondition(lambda self: self.batch.open)
    @rule()
    def close(self) -> None:
        self.do(lambda changes: adding.close(self.batch, changes, "user:ann"))

    @rule(pick=st.integers(0, 30), most=st.integers(1, 3))
    def dispatch(self, pick: int, most: int) -> None:
        ready = [p for p in self.batch.proposals if settling.is_ready(p)][:most]

        def operation(changes: Changes) -> None:
            for proposal in ready:
                settling.dispatch(self.batch, changes, proposal, "executor-1", "boot-1", 10)

        self.do(operation)

    @rule(pick=st.integers(0, 30), result=RESULTS, started=st.booleans())
    def succeed(self, pick: int, result: str, started: bool) -> None:
        proposal = self.one(pick, State.RUNNING, State.OUTCOME_UNKNOWN)
        if proposal is None:
            return

        def operation(changes: Changes) -> None:
            if started:
                settling.started(changes, proposal, changes.time)
            settling.settle(self.batch, changes, proposal, Ending(result, None))

        self.do(operation)

    @rule(
        pick=st.integers(0, 30),
        failure_class=st.sampled_from(FailureClass),
        effect=st.sampled_from(KnownEffect),
        refused=st.booleans(),
    )
    def fail(self, pick: int, failure_class: FailureClass, effect: KnownEffect, refused: bool) -> None:
        proposal = self.one(pick, State.RUNNING, State.OUTCOME_UNKNOWN)
        if proposal is None:
            return
        failure = Failure(failure_class, effect, "R", "m", refused=refused and effect is KnownEffect.NONE)
        self.do(lambda changes: settling.settle(self.batch, changes, proposal, Ending(None, failure)))

    @rule(pick=st.integers(0, 30), finding=st.sampled_from(Finding), over=st.booleans())
    def look(self, pick: int, finding: Finding, over: bool) -> None:
        proposal = self.one(pick, State.OUTCOME_UNKNOWN)
        if proposal is not None:
            look = probing.Look(finding, '{"n":1}', "no", over)
            self.do(lambda changes: probing.looked(self.batch, changes, proposal, look))
            assert proposal.state is not State.OUTCOME_UNKNOWN or finding is not Finding.FOUND

    @rule(pick=st.integers(0, 30))
    def nobody_looks_in_time(self, pick: int) -> None:
        proposal = self.one(pick, State.OUTCOME_UNKNOWN)
        if proposal is not None:
            self.do(lambda changes: firing.fire(self.batch, changes, look_of(proposal), GRACE))
            assert not proposal.looked_for

    @rule(pick=st.integers(0, 30))
    def lose(self, pick: int) -> None:
        proposal = self.one(pick, State.RUNNING)
        if proposal is not None:
            self.do(lambda changes: firing.lost(self.batch, changes, proposal, "EXECUTOR_LOST", "gone"))

    @rule(
        pick=st.integers(0, 30),
        approve=st.booleans(),
        edit=st.booleans(),
        unbound=st.booleans(),
        unasked=st.booleans(),
    )
    def decide(self, pick: int, approve: bool, edit: bool, unbound: bool, unasked: bool) -> None:
        proposal = self.one(pick, State.PROPOSED)
        if proposal is None or (proposal.asked_time is None and not unasked):
            return
        edited = Edit('{"x":2}', call_digest(proposal.tool, '{"x":2}')) if edit and approve else None
        verdict = Verdict.APPROVE if approve else Verdict.REJECT
        decision = Decision(
            proposal.key, verdict, digest=proposal.decidable_digest, edit=edited, accept_unbound=unbound
        )
        if deciding.check(self.batch, decision, "user:bob", self_approval=False) is None:
            self.do(lambda changes: deciding.make(self.batch, changes, decision, "user:bob"))

    @rule(pick=st.integers(0, 30))
    def cancel_one(self, pick: int) -> None:
        proposal = self.one(pick, State.PROPOSED, State.APPROVED, State.RUNNING)
        if proposal is not None:
            self.do(lambda changes: cancelling.cancel_proposal(self.batch, changes, proposal, "user:bob", "", GRACE))

    @rule(sure=st.integers(0, 4))
    def cancel(self, sure: int) -> None:
        if sure == 0:
            self.do(lambda changes: cancelling.cancel_batch(self.batch, changes, "user:bob", "", GRACE))

    @rule(pick=st.integers(0, 30))
    def retry(self, pick: int) -> None:
        proposal = self.one(pick, State.FAILED, State.CANCELLED, State.EXPIRED)
        if proposal is not None and retrying.check_retry(self.batch, proposal) is None:
            self.do(lambda changes: retrying.retry(self.batch, changes, proposal, "user:bob", "again"))

    @rule()
    def retry_all(self) -> None:
        def operation(changes: Changes) -> None:
            for proposal in self.batch.proposals:
                if retrying.check_retry(self.batch, proposal) is None:
                    retrying.retry(self.batch, changes, proposal, "user:bob", "again")

        self.do(operation)

    @rule()
    def resume(self) -> None:
        if self.batch.cancelling and not self.batch.state.finished:
            return
        went_on: list[Proposal] = []

        def operation(changes: Changes) -> None:
            found = resuming.resume(self.batch, changes, "user:bob", "again")
            went_on.extend(proposal for proposal, error in found if error is None)

        self.do(operation)
        assert all(proposal.state is not State.SKIPPED for proposal in went_on)
        assert not any(
            resuming.check_retry(self.batch, p) is None and adding.in_vain(self.batch, p) is None
            for p in self.batch.proposals
            if p not in went_on
        )

    @rule(pick=st.integers(0, 30), resolution=st.sampled_from(Resolution), result=RESULTS)
    def resolve(self, pick: int, resolution: Resolution, result: str) -> None:
        proposal = self.one(pick, State.OUTCOME_UNKNOWN, State.FAILED)
        if proposal is not None and retrying.check_resolve(self.batch, proposal, None) is None:
            self.do(
                lambda changes: retrying.resolve(
                    self.batch, changes, proposal, resolution, "user:bob", "looked", result
                )
            )

    @precondition(lambda self: self.timers)
    @rule(pick=st.integers(0, 100), kind=st.sampled_from(TimerKind))
    def fire(self, pick: int, kind: TimerKind) -> None:
        of_kind = [timer for timer in self.timers if timer.kind is kind]
        if of_kind:
            timer = of_kind[pick % len(of_kind)]
            self.builder.now = max(self.builder.now, timer.due)
            self.do(lambda changes: firing.fire(self.batch, changes, timer, GRACE))

    @rule(sure=st.integers(0, 9))
    def abandon(self, sure: int) -> None:
        if sure == 0 and not self.batch.state.finished:
            self.do(lambda changes: firing.abandon(self.batch, changes, "a fault"))

    @invariant()
    def holds(self) -> None:
        if self.batch.proposals:
            check_all(self.batch)
        assert all(self.batch.by_key[key].state is State.REJECTED for key in self.rejected)


BatchMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBatchMachine = BatchMachine.TestCase
