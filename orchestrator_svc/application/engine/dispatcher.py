"""What is ready, in fair order: a lane a tool, and in it round robin over tenants, sessions and batches."""

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import ToolKey

QUANTUM = 8


class Ready(NamedTuple):
    """A proposal that may be sent. `since`: monotonic s."""

    batch: Batch
    proposal: Proposal
    since: float


@dataclass(slots=True)
class _Gate:
    """Holds back what a batch's `max_in_flight` does not allow yet: the first in input order goes first."""

    waiting: list[tuple[int, float, Proposal]] = field(default_factory=list[tuple[int, float, Proposal]])
    queued: int = 0


_Batches = OrderedDict[str, deque[Ready]]
_Sessions = OrderedDict[str, _Batches]


class Lane:
    """What waits for one tool."""

    def __init__(self, tool: ToolKey) -> None:
        self.tool = tool
        self.unserved_since: float | None = None
        self._tenants: OrderedDict[str, _Sessions] = OrderedDict()
        self.count = 0

    def add(self, ready: Ready) -> None:
        batch = ready.batch
        sessions = self._tenants.setdefault(batch.tenant, OrderedDict())
        batches = sessions.setdefault(batch.session_id, OrderedDict())
        batches.setdefault(batch.id, deque()).append(ready)
        self.count += 1

    def take(self, most: int) -> list[Ready]:
        """At most that many, a few a turn."""
        taken: list[Ready] = []
        while self._tenants and len(taken) < most:
            tenant, sessions = self._tenants.popitem(last=False)
            session, batches = sessions.popitem(last=False)
            batch, queue = batches.popitem(last=False)
            for _ in range(min(QUANTUM, most - len(taken), len(queue))):
                taken.append(queue.popleft())
            if queue:
                batches[batch] = queue
            if batches:
                sessions[session] = batches
            if sessions:
                self._tenants[tenant] = sessions
        self.count -= len(taken)
        return taken

    def overdue(self, since: float) -> list[Ready]:
        """Takes out those that wait from before a time."""
        everything = self.take(self.count)
        late: list[Ready] = []
        for ready in everything:
            if max(ready.since, self.unserved_since or 0.0) <= since:
                late.append(ready)
            else:
                self.add(ready)
        return late


class Dispatcher:
    """Holds what is ready; the engine takes from it what fits."""

    def __init__(self) -> None:
        self._lanes: dict[ToolKey, Lane] = {}
        self._gates: dict[str, _Gate] = {}

    def offer(self, batch: Batch, proposals: Iterable[Proposal], since: float) -> None:
        """Proposals that are APPROVED and wait for nothing else."""
        if batch.max_in_flight == 0:
            for proposal in proposals:
                self._enter(Ready(batch, proposal, since))
            return
        gate = self._gates.setdefault(batch.id, _Gate())
        for proposal in proposals:
            heapq.heappush(gate.waiting, (proposal.ordinal, since, proposal))
        self.open_gate(batch)

    def open_gate(self, batch: Batch) -> None:
        """Lets through what `max_in_flight` allows now."""
        gate = self._gates.get(batch.id)
        if gate is None:
            return
        while gate.waiting and batch.counts[State.RUNNING] + gate.queued < batch.max_in_flight:
            _, since, proposal = heapq.heappop(gate.waiting)
            if proposal.state is State.APPROVED:
                gate.queued += 1
                self._enter(Ready(batch, proposal, since))
        if batch.state.finished:
            del self._gates[batch.id]

    def left(self, ready: Ready) -> None:
        """It was taken from its lane: sent, or found to be stale."""
        gate = self._gates.get(ready.batch.id)
        if gate is not None:
            gate.queued -= 1

    def forget(self, batch_id: str) -> None:
        """Its gate; what stands in lanes is found stale when taken."""
        self._gates.pop(batch_id, None)

    def lanes(self) -> Iterator[Lane]:
        """Those where something waits; a lane served goes to the end."""
        for tool in list(self._lanes):
            lane = self._lanes[tool]
            if lane.count == 0:
                del self._lanes[tool]
                continue
            yield lane

    def waiting(self) -> bool:
        return any(lane.count for lane in self._lanes.values())

    def _enter(self, ready: Ready) -> None:
        lane = self._lanes.get(ready.proposal.tool)
        if lane is None:
            lane = self._lanes[ready.proposal.tool] = Lane(ready.proposal.tool)
        lane.add(ready)
