"""What is ready, in fair order: a lane a tool, and in it round robin over tenants, sessions and batches."""

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.settling import is_ready
from orchestrator_svc.domain.tool import ToolKey

QUANTUM = 8


class Ready(NamedTuple):
    """A proposal that may be sent. `since`: monotonic s. `token`: tells whether it has moved on since."""

    batch: Batch
    proposal: Proposal
    since: float
    token: int

    @property
    def stale(self) -> bool:
        return self.token != _token(self.proposal) or not is_ready(self.proposal)


def _token(proposal: Proposal) -> int:
    """Neither ever falls: the sum stands as long as both do."""
    return proposal.revision + len(proposal.attempts)


@dataclass(slots=True)
class _Gate:
    """Holds back what a batch's `max_in_flight` does not allow yet: the first in input order goes first."""

    waiting: list[tuple[int, int, Ready]] = field(default_factory=list[tuple[int, int, Ready]])
    entered: int = 0
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

    def drop(self, batch: Batch) -> None:
        """Takes out what is a batch's."""
        sessions = self._tenants.get(batch.tenant, OrderedDict())
        batches = sessions.get(batch.session_id, OrderedDict())
        self.count -= len(batches.pop(batch.id, ()))
        if not batches:
            sessions.pop(batch.session_id, None)
        if not sessions:
            self._tenants.pop(batch.tenant, None)

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
                self._enter(Ready(batch, proposal, since, _token(proposal)))
            return
        gate = self._gates.setdefault(batch.id, _Gate())
        for proposal in proposals:
            gate.entered += 1
            ready = Ready(batch, proposal, since, _token(proposal))
            heapq.heappush(gate.waiting, (proposal.ordinal, gate.entered, ready))
        self.open_gate(batch)

    def open_gate(self, batch: Batch) -> None:
        """Lets through what `max_in_flight` allows now."""
        gate = self._gates.get(batch.id)
        if gate is None:
            return
        while gate.waiting and batch.counts[State.RUNNING] + gate.queued < batch.max_in_flight:
            _, _, ready = heapq.heappop(gate.waiting)
            if not ready.stale:
                gate.queued += 1
                self._enter(ready)
        if batch.state.finished:
            del self._gates[batch.id]

    def left(self, ready: Ready) -> None:
        """It was taken from its lane: sent, or found to be stale."""
        gate = self._gates.get(ready.batch.id)
        if gate is not None:
            gate.queued -= 1

    def drop(self, batch: Batch) -> None:
        """Everything of a batch that leaves the memory."""
        self._gates.pop(batch.id, None)
        for lane in self._lanes.values():
            lane.drop(batch)

    def served(self, lane: Lane) -> None:
        """It goes to the end: where slots are scarce the tools take turns."""
        self._lanes[lane.tool] = self._lanes.pop(lane.tool)

    def lanes(self) -> Iterator[Lane]:
        """Those where something waits."""
        for tool in list(self._lanes):
            lane = self._lanes[tool]
            if lane.count == 0:
                del self._lanes[tool]
                continue
            yield lane

    def queued(self, tool: ToolKey) -> bool:
        """Whether anything waits for that tool."""
        lane = self._lanes.get(tool)
        return lane is not None and lane.count > 0

    def unserved_since(self, batch_id: str, tool: ToolKey) -> float | None:
        """Since when no executor has it (monotonic s); None: one has, or a batch's gate may hold back what waits."""
        lane = self._lanes.get(tool)
        return None if lane is None or batch_id in self._gates else lane.unserved_since

    def waiting(self) -> bool:
        return any(lane.count for lane in self._lanes.values())

    def _enter(self, ready: Ready) -> None:
        lane = self._lanes.get(ready.proposal.tool)
        if lane is None:
            lane = self._lanes[ready.proposal.tool] = Lane(ready.proposal.tool)
        lane.add(ready)
