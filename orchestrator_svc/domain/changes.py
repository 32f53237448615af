"""What one step did to one batch: its new facts, its changed rows, and what follows once they are recorded."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from orchestrator_svc.domain.events import Detail, Event
from orchestrator_svc.domain.proposal import Proposal, ProposalRecord, ProposalState
from orchestrator_svc.domain.sources import Sources
from orchestrator_svc.domain.states import BatchState

if TYPE_CHECKING:
    from orchestrator_svc.domain.batch import Batch

PART_ROWS = 128


class TimerKind(IntEnum):
    """What is due."""

    EXPIRY = 1
    BACKOFF = 2
    DEADLINE = 3
    IDLE = 4
    GRACE = 5
    PROBE = 6
    RESOLUTION = 7
    LOOK = 8


class Timer(NamedTuple):
    """Due at a wall time (ns). `token` tells whether it still means something: what it stood for may have moved on."""

    due: int
    kind: TimerKind
    ordinal: int
    token: int


class BatchRecord(NamedTuple):
    """Everything of a batch that changes: what the row update of each commit writes. Times in ns.

    `reopened_after`: the last sequence when it was finished for the first time, if it went on later; 0: never.
    `owned`: whether there is something that an orchestrator has to do; else the batch belongs to nobody from this
    commit on, and `wake_time` says when it has to be looked at again, though nobody says anything (None: never).
    """

    state: BatchState
    head: int
    counts: tuple[int, ...]
    asked: int
    open: bool
    cancelling: bool
    deadline_time: int | None
    deadline_left: int | None
    finish_time: int | None
    reopened_after: int
    owned: bool
    wake_time: int | None


class CommandRecord(NamedTuple):
    """The request that caused a change, remembered in the same transaction. `answer` is opaque to the store."""

    request_id: str
    kind: str
    payload_hash: bytes
    answer: bytes


@dataclass(slots=True, eq=False)
class Changes:
    """Collected while a step works on a batch; closed by `Batch.conclude`, and from then on only read.

    `hold`: what is ready may be dispatched only after the commit (submissions, decisions); else at once.
    `urgent`: somebody waits for it; it goes ahead of the machines' changes of other batches.
    `created`: the batch's row is new. `part`: of a new batch that is not visible yet; `publish`: now it is.
    `stops`: running proposals to cancel. `bytes`: of arguments and results to write, roughly.
    `received`: monotonic s when its cause came in, for the record time. `sources`: results that were read for binding.
    `positions`: where executors' journals stand, as their answers that are recorded here say.
    """

    batch: "Batch"
    time: int
    received: float
    events: list[Event] = field(default_factory=list[Event])
    added: list[tuple[Proposal, ProposalRecord]] = field(default_factory=list[tuple[Proposal, ProposalRecord]])
    records: dict[int, ProposalRecord] = field(default_factory=dict[int, ProposalRecord])
    ready: list[Proposal] = field(default_factory=list[Proposal])
    timers: list[Timer] = field(default_factory=list[Timer])
    stops: list[Proposal] = field(default_factory=list[Proposal])
    touched: dict[int, Proposal] = field(default_factory=dict[int, Proposal])
    new: list[Proposal] = field(default_factory=list[Proposal])
    header: BatchRecord | None = None
    command: CommandRecord | None = None
    created: bool = False
    publish: bool = False
    part: bool = False
    bytes: int = 0
    hold: bool = False
    urgent: bool = False
    sources: Sources | None = None
    positions: dict[str, int] = field(default_factory=dict[str, int])

    def emit(self, proposal: Proposal, detail: Detail, attempt: int | None = None) -> Event:
        """A fact of a proposal, in its present state. `attempt` None: the last."""
        number = len(proposal.attempts) if attempt is None else attempt
        return self._append(proposal.key, proposal.agent, number, proposal.state, detail)

    def emit_batch(self, detail: Detail) -> Event:
        """A fact of the batch itself."""
        return self._append("", "", 0, None, detail)

    def touch(self, proposal: Proposal) -> None:
        """Its row is written with this change."""
        self.touched[proposal.ordinal] = proposal

    def saw_position(self, executor_id: str, position: int) -> None:
        """What an executor's journal says of itself; 0 says nothing."""
        if position > self.positions.get(executor_id, 0):
            self.positions[executor_id] = position

    def _append(self, key: str, agent: str, attempt: int, state: ProposalState | None, detail: Detail) -> Event:
        batch = self.batch
        batch.head += 1
        event = Event(batch.head, self.time, key, agent, attempt, state, detail)
        self.events.append(event)
        return event

    @property
    def writes(self) -> bool:
        """Whether there is anything to record."""
        return bool(self.events or self.records or self.command)

    @property
    def rows(self) -> int:
        """Roughly what it costs to write."""
        return len(self.added) + len(self.records) + len(self.events) // 8 + 1

    def parts(self) -> "list[Changes]":
        """A large submission as several changes; the last one publishes, and carries all that follows a commit."""
        if not self.created or len(self.added) <= PART_ROWS:
            return [self]
        assert self.header is not None
        parts: list[Changes] = []
        first_event = 0
        for start in range(0, len(self.added), PART_ROWS):
            last = start + PART_ROWS >= len(self.added)
            until = len(self.events) if last else first_event + PART_ROWS
            part = self if last else Changes(self.batch, self.time, self.received, urgent=self.urgent)
            events, added = self.events[first_event:until], self.added[start : start + PART_ROWS]
            parts.append(part)
            part.created, part.publish = start == 0, last
            part.header = self.header if last else self._part_header(events[-1].sequence)
            if last:
                self.events, self.added = events, added
            else:
                part.events, part.added, part.part = events, added, True
                part.bytes = sum(len(proposal.arguments) for proposal, _ in added)
                self.bytes -= part.bytes
            first_event = until
        return parts

    def _part_header(self, head: int) -> BatchRecord:
        """What nobody may see yet is its writer's, whatever it will be."""
        assert self.header is not None
        return self.header._replace(head=head, owned=True, wake_time=None)


@dataclass(slots=True, eq=False)
class BatchWrite:
    """The changes of one batch in one transaction: each row once, each event once."""

    batch: "Batch"
    header: BatchRecord
    created: bool
    publish: bool
    events: list[Event]
    added: list[tuple[Proposal, ProposalRecord]]
    records: dict[int, ProposalRecord]
    commands: list[CommandRecord]
    positions: dict[str, int]


def merge(changes: Iterable[Changes]) -> list[BatchWrite]:
    """By batch, in order of first appearance. A proposal that was added and moved is one row."""
    writes: dict[str, BatchWrite] = {}
    for change in changes:
        assert change.header is not None
        write = writes.get(change.batch.id)
        if write is None:
            write = BatchWrite(
                change.batch,
                change.header,
                change.created,
                change.publish,
                list(change.events),
                list(change.added),
                dict(change.records),
                [],
                dict(change.positions),
            )
            writes[change.batch.id] = write
        else:
            write.header = change.header
            write.publish = write.publish or change.publish
            write.events += change.events
            write.added += change.added
            write.records.update(change.records)
            for executor_id, position in change.positions.items():
                write.positions[executor_id] = max(position, write.positions.get(executor_id, 0))
        if change.command is not None:
            write.commands.append(change.command)
    for write in writes.values():
        _fold_added(write)
    return list(writes.values())


def _fold_added(write: BatchWrite) -> None:
    if not (write.added and write.records):
        return
    write.added = [(proposal, write.records.pop(proposal.ordinal, record)) for proposal, record in write.added]
