"""Batches that lived through anything: Hypothesis draws the proposals and what happens, real operations do it."""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from orchestrator_svc.domain import adding, cancelling, firing, probing, retrying, settling
from orchestrator_svc.domain.adding import Judged
from orchestrator_svc.domain.changes import Changes, Timer, TimerKind
from orchestrator_svc.domain.proposal import Condition, Dependency, Finding, Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.domain.tool import Effect, FailureClass, KnownEffect, RetryPolicy, Tier
from tests.support.batches import GRACE, AnyArguments, Builder, broken, judged, look_of

_ENDINGS = [
    broken(FailureClass.PERMANENT, KnownEffect.NONE),
    broken(FailureClass.TRANSIENT, KnownEffect.NONE),
    broken(FailureClass.TIMEOUT, KnownEffect.POSSIBLE),
    broken(FailureClass.PERMANENT, KnownEffect.DONE),
    broken(FailureClass.CANCELLED, KnownEffect.NONE),
]
_RESULTS = ['{"n":1}', "null", "[]", '"text \N{EURO SIGN}"']


@st.composite
def proposals(draw: st.DrawFn, first: int = 0, largest: int = 6) -> list[Judged]:
    """They depend on earlier ones only, by name or by reference."""
    items: list[Judged] = []
    for number in range(first, first + draw(st.integers(1, largest))):
        earlier = st.sampled_from([f"p{n}" for n in range(number)]) if number else st.nothing()
        edges = draw(st.dictionaries(earlier, st.sampled_from(Condition), max_size=min(2, number)))
        source = draw(st.none() | earlier)
        arguments = '{"x":1}'
        if source is not None:
            arguments = draw(
                st.sampled_from([f'{{"x":{{"$from":"{source}"}}}}', f'{{"$from":"{source}","default":0}}'])
            )
        failure = broken() if source is None and not edges and draw(st.integers(0, 9)) == 0 else None
        items.append(
            judged(
                f"p{number}",
                effect=draw(st.sampled_from(Effect)),
                tier=draw(st.sampled_from(Tier)),
                arguments=arguments,
                depends_on=[Dependency(key, when) for key, when in edges.items()],
                agent=draw(st.sampled_from(["data", "risk"])),
                labels=draw(st.sampled_from([{}, {"a": "b"}])),
                retry=RetryPolicy(draw(st.integers(1, 2)), 1, 1),
                failure=failure,
                title=draw(st.sampled_from(["", "A title \N{EURO SIGN}"])),
            )
        )
    return items


class Life:
    """What may happen to a batch. `step` does one thing that is possible now, or nothing."""

    def __init__(self, builder: Builder, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self.builder, self.batch = builder, builder.batch
        self.batch.resolution_deadline = 1_000
        self.batch.judge = AnyArguments(looks=True)
        self._draw = draw

    def _pick(self, count: int) -> int:
        return self._draw(st.integers(0, count - 1))

    def _one(self, *states: State) -> Proposal | None:
        found = [proposal for proposal in self.batch.proposals if proposal.state in states]
        return found[self._pick(len(found))] if found else None

    def step(self) -> Changes:
        changes = self.builder.begin()
        possible = [
            self._dispatch,
            self._settle,
            self._settle,
            self._decide,
            self._expire,
            self._cancel_one,
            self._retry,
            self._resolve,
            self._look,
            self._end_look,
            self._give_up,
            self._rarely,
        ]
        possible[self._pick(len(possible))](changes)
        return self.batch.conclude(changes)

    def _dispatch(self, changes: Changes) -> None:
        ready = [p for p in self.batch.proposals if p.state is State.APPROVED and p.open_dependencies == 0]
        for proposal in ready[: 1 + self._pick(3)]:
            settling.dispatch(self.batch, changes, proposal, "executor-1", "boot-1", 10)

    def _settle(self, changes: Changes) -> None:
        proposal = self._one(State.RUNNING)
        if proposal is None:
            return
        if self._pick(2):
            settling.started(changes, proposal, changes.time)
        kind = self._pick(len(_ENDINGS) + len(_RESULTS))
        if kind < len(_ENDINGS):
            ending = settling.Ending(None, _ENDINGS[kind], changes.time, 1, 2, 3, bool(self._pick(2)))
        else:
            ending = settling.Ending(_RESULTS[kind - len(_ENDINGS)], None, None, 1, 2, None)
        settling.settle(self.batch, changes, proposal, ending)

    def _look(self, changes: Changes) -> None:
        proposal = self._one(State.OUTCOME_UNKNOWN)
        if proposal is not None:
            look = probing.Look(list(Finding)[self._pick(3)], _RESULTS[0], "why", bool(self._pick(2)))
            probing.looked(self.batch, changes, proposal, look)

    def _end_look(self, changes: Changes) -> None:
        proposal = self._one(State.OUTCOME_UNKNOWN)
        if proposal is not None:
            firing.fire(self.batch, changes, look_of(proposal), GRACE)

    def _give_up(self, changes: Changes) -> None:
        proposal = self._one(State.OUTCOME_UNKNOWN)
        if proposal is not None and proposal.next_time is not None:
            timer = Timer(proposal.next_time, TimerKind.RESOLUTION, proposal.ordinal, proposal.next_time)
            firing.fire(self.batch, changes, timer, GRACE)

    def _decide(self, changes: Changes) -> None:
        proposal = self._one(State.PROPOSED)
        if proposal is not None:
            self.builder.decide_in(
                changes, proposal, approve=self._pick(4) > 0, edited='{"x":2}' * (self._pick(4) == 0)
            )

    def _expire(self, changes: Changes) -> None:
        proposal = self._one(State.PROPOSED)
        if proposal is not None and proposal.expire_time is not None:
            firing.fire(self.batch, changes, self.builder.expiry_of(proposal), GRACE)

    def _cancel_one(self, changes: Changes) -> None:
        proposal = self._one(State.PROPOSED, State.APPROVED, State.RUNNING)
        if proposal is not None:
            cancelling.cancel_proposal(self.batch, changes, proposal, "user:bob", "enough", GRACE)

    def _retry(self, changes: Changes) -> None:
        proposal = self._one(State.FAILED, State.CANCELLED, State.EXPIRED)
        if proposal is not None and retrying.check_retry(self.batch, proposal) is None:
            retrying.retry(self.batch, changes, proposal, "user:bob", "again")

    def _resolve(self, changes: Changes) -> None:
        proposal = self._one(State.OUTCOME_UNKNOWN, State.FAILED)
        if proposal is not None and retrying.check_resolve(self.batch, proposal, None) is None:
            resolution = list(Resolution)[self._pick(3)]
            retrying.resolve(self.batch, changes, proposal, resolution, "user:bob", "looked", "{}")

    def _rarely(self, changes: Changes) -> None:
        if self._pick(3) == 0:
            cancelling.cancel_batch(self.batch, changes, "user:bob", "enough", GRACE)
        elif self.batch.open:
            adding.close(self.batch, changes, "user:bob")


def same(batch: object, other: object, names: Sequence[str]) -> None:
    for name in names:
        assert getattr(batch, name) == getattr(other, name), name


def waits(proposal: Proposal) -> int | None:
    """How many dependencies it waits for; of one that was sent that means nothing."""
    return proposal.open_dependencies if proposal.state in (State.PROPOSED, State.APPROVED) else None
