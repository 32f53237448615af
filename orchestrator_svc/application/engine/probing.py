"""Has tools look for the effects of unknown outcomes: at once, and then again and again, ever more seldom.

A finished batch need not stay in memory between two looks: it says when the next one is due, and is taken then.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from orchestrator_svc.application.engine.live import LiveBatches
from orchestrator_svc.application.engine.reattaching import Reattaching
from orchestrator_svc.application.engine.signals import Work
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.probing import looked
from orchestrator_svc.domain.proposal import Attempt, Finding, Probe, Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import ToolDescriptor, ToolKey
from orchestrator_svc.ports.executor import Call, Executors, Looked, Target
from shared.kernel.clock import Clock

FIRST_DELAY = 1.0
AT_ONCE = 16
"""Looks under way at a time: many outcomes become unknown together, when an executor is lost."""
_NEVER = float("inf")
_SECOND = 1_000_000_000


@dataclass(slots=True, eq=False)
class _Search:
    """For the effect of one attempt. `asked`: the look that is under way. `over`: what was known when it began.

    `anew`: more became known meanwhile, so that the next look comes at once. `failed`: who could not look last time.
    """

    batch: Batch
    proposal: Proposal
    attempt: int
    due: float
    delay: float = FIRST_DELAY
    asked: Target | None = None
    over: bool = False
    anew: bool = False
    failed: Target | None = None

    @property
    def last(self) -> Attempt:
        return self.proposal.attempts[-1]


class Probing:
    """`begin` starts a search, or hurries one; it ends when the outcome is known, or its batch is not here any more.

    `call_of` makes the call as it was sent. `longest`: the longest delay between two looks, in s.
    """

    def __init__(
        self,
        executors: Executors,
        live: LiveBatches,
        call_of: Callable[[Batch, Proposal], Call],
        reattaching: Reattaching,
        clock: Clock,
        longest: float,
    ) -> None:
        self._executors, self._live, self._call_of, self._clock = executors, live, call_of, clock
        self._reattaching, self._longest = reattaching, longest
        self._searches: dict[str, _Search] = {}
        self._able, self._described = set[ToolKey](), set[ToolKey]()
        self._next = _NEVER

    def begin(self, batch: Batch, proposal: Proposal) -> None:
        """Its outcome has become unknown, a start found it so, or more became known of its last attempt."""
        if proposal.state is not State.OUTCOME_UNKNOWN or not proposal.attempts:
            return
        now = self._clock.monotonic()
        search = self._searches.get(batch.call_id(proposal))
        if search is None or search.batch is not batch:
            search = self._searches[batch.call_id(proposal)] = _Search(batch, proposal, len(proposal.attempts), now)
            search.delay = self._delay_after(search.last.probe)
        else:
            search.due, search.delay, search.anew = now, FIRST_DELAY, search.asked is not None
        self._next = min(self._next, now)

    def described(self, descriptors: Iterable[ToolDescriptor]) -> None:
        """What executors have. A tool that cannot look yet may be able to after its executor was started anew."""
        self._described |= {descriptor.key for descriptor in descriptors}
        able = {descriptor.key for descriptor in descriptors if descriptor.probes}
        self._able |= able
        now = self._clock.monotonic()
        for search in self._searches.values():
            if search.proposal.tool in able and search.asked is None:
                search.due, search.delay = min(search.due, now), FIRST_DELAY  # it may not be usable yet
                self._next = min(self._next, now)

    def lost(self, target: Target) -> None:
        """What it was asked is not answered any more."""
        now = self._clock.monotonic()
        for search in self._searches.values():
            if search.asked == target:
                search.asked, search.due = None, now + search.delay
                self._next = min(self._next, now)  # there is room again
                self._live.settle(search.batch)

    def engaged(self, batch: Batch) -> bool:
        """Whether a look is under way, or has its turn next."""
        now = self._clock.monotonic()
        return any(
            search.asked is not None or (search.due <= now and proposal.tool in self._able)
            for proposal, search in self._of(batch)
            if search is not None
        )

    def next_look(self, batch: Batch) -> int | None:
        """When (ns) a batch that leaves the memory is to be taken for the next look; None: its tools cannot look."""
        now, monotonic = self._clock.time_ns(), self._clock.monotonic()
        delays = [
            self._longest if search is None or proposal.tool not in self._able else max(0.0, search.due - monotonic)
            for proposal, search in self._of(batch)
            if proposal.tool in self._able or proposal.tool not in self._described
        ]
        return now + int(min(delays) * _SECOND) if delays else None

    def _of(self, batch: Batch) -> Iterator[tuple[Proposal, _Search | None]]:
        """What is unknown of it."""
        for proposal in batch.proposals:
            if proposal.state is State.OUTCOME_UNKNOWN and proposal.attempts:
                search = self._searches.get(batch.call_id(proposal))
                yield proposal, search if search is not None and search.batch is batch else None

    def _delay_after(self, probe: Probe | None) -> float:
        """As many looks on record."""
        looks = 0 if probe is None else probe.number
        return min(FIRST_DELAY * 2 ** min(looks, 30), self._longest)

    def due_in(self) -> float | None:
        """Seconds to the next look; None: there is none to come."""
        return None if self._next == _NEVER else max(0.0, self._next - self._clock.monotonic())

    def look(self) -> None:
        """Asks for what is due, as far as there is room."""
        now = self._clock.monotonic()
        if now < self._next:
            return
        self._next, room = _NEVER, AT_ONCE - sum(search.asked is not None for search in self._searches.values())
        for call_id, search in list(self._searches.items()):
            if not self._is_current(search):
                del self._searches[call_id]
            elif search.asked is None and search.proposal.tool in self._able:
                if search.due > now:
                    self._next = min(self._next, search.due)
                elif room > 0:
                    room -= self._ask(search, now)

    def answered(self, signal: Looked, work: Work) -> None:
        search = self._searches.get(signal.call_id)
        if search is None or search.asked != signal.target:
            return
        now, look = self._clock.monotonic(), replace(signal.look, over=search.over or _is_over(search.last, signal))
        search.failed = signal.target if look.finding is Finding.FAILED else None
        search.asked, search.due = None, now if search.anew else now + search.delay
        search.delay, search.anew = min(search.delay * 2, self._longest), False
        self._next = min(self._next, now)  # there is room again

        def operation(batch: Batch, changes: Changes) -> None:
            if self._is_current(search):
                looked(batch, changes, search.proposal, look)

        work.setdefault(search.batch, []).append(operation)

    def _ask(self, search: _Search, now: float) -> bool:
        call = self._call_of(search.batch, search.proposal)
        sent_to = Target(search.last.executor_id, search.last.boot_id)
        position = self._reattaching.position(sent_to.executor_id)
        search.asked, search.over = self._executors.probe(call, sent_to, position, search.failed), search.last.over
        if search.asked is None:  # none is connected now
            search.due, search.delay = now + search.delay, min(search.delay * 2, self._longest)
            self._next = min(self._next, search.due)
            self._live.settle(search.batch)
        return search.asked is not None

    def _is_current(self, search: _Search) -> bool:
        proposal = search.proposal
        unknown = proposal.state is State.OUTCOME_UNKNOWN and len(proposal.attempts) == search.attempt
        return unknown and self._live.get(search.batch.id) is search.batch


def _is_over(attempt: Attempt, signal: Looked) -> bool:
    """An attempt that could not be stopped at its end is over when its own executor has it no more."""
    ended = attempt.timing is not None and attempt.timing.tool is not None
    return ended and signal.target.executor_id == attempt.executor_id and signal.over
