"""Batches and proposals as a reader is shown them, and how they are looked for: what the store's reads take and give.

Times are ns since 1970 (UTC).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator_svc.domain.proposal import Proposal, ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import Tier

NEVER = 1 << 62
"""The expiry of what does not expire, among those of what does."""


class AgentTally(NamedTuple):
    """Proposals of one agent: how many in each state (index = ProposalState)."""

    name: str
    counts: tuple[int, ...]


@dataclass(slots=True)
class BatchView:
    """A batch as it stands, without its proposals.

    `agents` by first appearance. `missing`: keys that gave no result, at most 100, once the batch is finished.
    `given_up`: how many whose outcome is unknown nobody waits for any more.
    """

    id: str
    tenant: str
    number: int
    session_id: str
    session_no: int
    name: str
    labels: dict[str, str]
    template: str
    principal: str
    trace_id: str
    state: BatchState
    head: int
    counts: tuple[int, ...]
    asked: int
    given_up: int
    open: bool
    max_in_flight: int
    create_time: int
    finish_time: int | None
    deadline_time: int | None
    agents: list[AgentTally]
    missing: list[str]


class ProposalCursor(NamedTuple):
    """Where a page of proposals ended: (expire_time while it is asked for, else NEVER; batch id; ordinal)."""

    expire_time: int
    batch_id: str
    ordinal: int


@dataclass(slots=True)
class ProposalView:
    """A proposal with what it needs to be shown. `waiting_for`: keys of dependencies that are not done.

    `record_times`: attempt number -> ns from its ending's arrival to its commit, where known. `result_omitted`: it has
    a result, which was not read.
    """

    proposal: Proposal
    batch_id: str
    batch_number: int
    session_id: str
    tenant: str
    waiting_for: list[str]
    record_times: dict[int, int] = field(default_factory=dict[int, int])
    result_omitted: bool = False

    @property
    def cursor(self) -> ProposalCursor:
        """Its place in a list."""
        proposal = self.proposal
        asked = proposal.state is ProposalState.PROPOSED and proposal.asked_time is not None
        due = proposal.expire_time if asked else None
        return ProposalCursor(due or NEVER, self.batch_id, proposal.ordinal)


@dataclass(frozen=True, slots=True)
class BatchFilter:
    """Empty and None: all. Labels must all match."""

    session_id: str = ""
    states: tuple[BatchState, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    id_prefix: str = ""


@dataclass(frozen=True, slots=True)
class ProposalFilter:
    """Empty: all; no states: those that a person is asked for now. Labels must all match."""

    states: tuple[ProposalState, ...] = ()
    tiers: tuple[Tier, ...] = ()
    session_id: str = ""
    batch_id: str = ""
    agent: str = ""
    tool: str = ""
    labels: tuple[tuple[str, str], ...] = ()


class BatchPage(NamedTuple):
    """`next`: the id below which to go on; None: that was all. There may be more though the page is empty."""

    batches: list[BatchView]
    next: str | None


class ProposalPage(NamedTuple):
    """`next`: the place behind which to go on; None: that was all. There may be more though the page is empty."""

    proposals: list[ProposalView]
    next: ProposalCursor | None
