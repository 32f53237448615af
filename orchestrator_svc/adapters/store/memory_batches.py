"""A batch as the memory store keeps it: snapshots that nobody else holds, made into new objects for each reader."""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, replace

from orchestrator_svc.adapters.store.hydration import attach
from orchestrator_svc.adapters.store.reading.times import RecordTimes
from orchestrator_svc.application.memory_views import batch_view
from orchestrator_svc.domain.adding import satisfied
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.binding import ArgumentsJudge
from orchestrator_svc.domain.changes import BatchRecord, BatchWrite
from orchestrator_svc.domain.graph import Graph
from orchestrator_svc.domain.proposal import Proposal, ProposalRecord, ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.codec import StoredFrame
from orchestrator_svc.ports.store import BatchHead
from orchestrator_svc.ports.views import BatchView, ProposalView


@dataclass
class KeptBatch:
    """`shell`: what never changes. Proposals by ordinal: as they were added, and the latest record.

    `incarnation`: '' where it belongs to nobody.
    """

    shell: Batch
    header: BatchRecord
    number: int
    session_no: int
    epoch: int
    incarnation: str
    published: bool
    request_id: str
    proposals: dict[int, tuple[Proposal, ProposalRecord]] = field(
        default_factory=dict[int, tuple[Proposal, ProposalRecord]]
    )
    frames: list[StoredFrame] = field(default_factory=list[StoredFrame])
    record_times: dict[int, int] = field(default_factory=dict[int, int])
    oldest: int = 1
    wake_time: int | None = None

    def accepts(self, write: BatchWrite) -> bool:
        """The guard."""
        batch = write.batch
        head = write.events[0].sequence - 1 if write.events else write.header.head
        kept = (self.number, self.epoch, self.header.head)
        return self.belongs_to(batch.incarnation) and kept == (batch.number, batch.epoch, head)

    def belongs_to(self, incarnation: str) -> bool:
        """Or to nobody."""
        return self.incarnation in (incarnation, "")

    def release(self) -> None:
        """Its owner has ended: it belongs to nobody, and is due at once, but for an idle one, which has its end."""
        self.epoch, self.incarnation = self.epoch + 1, ""
        if self.header.state is not BatchState.IDLE:
            self.wake_time = 0

    def apply(self, write: BatchWrite, frames: Iterable[StoredFrame]) -> None:
        self.header = write.header
        self.incarnation = write.batch.incarnation if write.header.owned else ""
        self.wake_time = write.header.wake_time
        self.published = self.published or write.publish
        for proposal, record in write.added:
            self.proposals[proposal.ordinal] = (replace(proposal, labels=dict(proposal.labels)), record)
        for ordinal, record in write.records.items():
            self.proposals[ordinal] = (self.proposals[ordinal][0], record)
        self.frames += frames

    def whole(self, judge: ArgumentsJudge) -> Batch:
        """As the engine works on it."""
        header = self.header
        batch = empty_copy(self.shell)
        batch.judge = judge
        batch.number, batch.session_no = self.number, self.session_no
        batch.epoch, batch.incarnation = self.epoch, self.incarnation
        batch.state, batch.head, batch.open = header.state, header.head, header.open
        batch.cancelling, batch.reopened_after = header.cancelling, header.reopened_after
        batch.deadline_time, batch.deadline_left = header.deadline_time, header.deadline_left
        batch.finish_time = header.finish_time
        batch.idle_end = self.wake_time if header.state is BatchState.IDLE else None
        return attach(batch, [_restored(*kept) for _, kept in sorted(self.proposals.items())])

    def head(self) -> BatchHead:
        shell, header = self.shell, self.header
        return BatchHead(
            self.number,
            header.head,
            header.state,
            shell.session_id,
            self.session_no,
            header.reopened_after,
            self.oldest,
        )

    def view(self) -> BatchView:
        return batch_view(self.whole(self.shell.judge))

    def views(self) -> list[ProposalView]:
        batch = self.whole(self.shell.judge)
        spans = [(frame.first, frame.last) for frame in self.frames]
        times = RecordTimes(sorted(self.record_times.items()), spans)
        return [_view(batch, proposal, times) for proposal in batch.proposals]


def empty_copy(batch: Batch) -> Batch:
    """Without proposals and what is derived from them."""
    return replace(
        batch,
        labels=dict(batch.labels),
        proposals=[],
        by_key={},
        graph=Graph(),
        counts=[0] * len(batch.counts),
        asked=0,
        ready_count=0,
        argument_bytes=0,
        owned=True,
        next_expiry=None,
    )


def _restored(added: Proposal, record: ProposalRecord) -> Proposal:
    proposal = copy(added)
    proposal.labels = dict(added.labels)
    for name, value in record._asdict().items():
        setattr(proposal, name, value)
    if proposal.original_arguments:
        proposal.references = None
    proposal.open_dependencies = 0
    return proposal


def _view(batch: Batch, proposal: Proposal, times: RecordTimes) -> ProposalView:
    waiting: list[str] = []
    if proposal.state in (ProposalState.PROPOSED, ProposalState.APPROVED) and not proposal.under_way:
        waiting = [edge.key for edge in proposal.depends_on if not satisfied(batch, edge)]
    proposal.open_dependencies = len(waiting)
    return ProposalView(proposal, batch.id, batch.number, batch.session_id, batch.tenant, waiting, times.of(proposal))
