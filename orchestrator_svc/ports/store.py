"""The store: the one truth of batches, proposals, events, sessions, tools and requests.

Every look-up takes the tenant first; another tenant's rows are not there. Times are ns since 1970 (UTC). Reads see
committed and published rows only. Any method may raise UnavailableError (STORE_UNAVAILABLE, STORE_DAMAGED): then
nothing was changed, or that is not known; repeating a commit with the same writes finds out, and does it once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.domain.tool import ToolDescriptor, ToolKey
from orchestrator_svc.ports.codec import StoredFrame
from orchestrator_svc.ports.feed import SessionStand, Stand
from orchestrator_svc.ports.views import (
    BatchFilter,
    BatchPage,
    BatchView,
    ProposalCursor,
    ProposalFilter,
    ProposalPage,
    ProposalView,
)


class Incarnation(NamedTuple):
    """One start of an orchestrator."""

    id: str
    start_time: int
    version: str


KEEP_STARTS = 7 * 24 * 3600 * 1_000_000_000
"""ns that a start is on record at the least, whether it has ended or not."""
SLICE_FRAMES, SLICE_BYTES = 128, 1 << 20
"""What one compaction removes at the most, so that it keeps no commit waiting."""


class Compaction(NamedTuple):
    """`batches`: how many have no events any more. `more`: there may be others."""

    batches: int
    events: int
    more: bool


@dataclass(slots=True)
class Committed:
    """What a commit did. `lost`: ids of batches of which something else is on record than their writer believes,
    `unwritable`: of those that cannot be written; nothing of either was written.

    `frames`: the events just stored, by batch id. `created`: batch id -> (number, session_no).
    """

    lost: set[str] = field(default_factory=set[str])
    unwritable: set[str] = field(default_factory=set[str])
    frames: dict[str, list[StoredFrame]] = field(default_factory=dict[str, list[StoredFrame]])
    created: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])


class BatchHead(NamedTuple):
    """Where a batch stands, for watchers. `reopened_after`: as in BatchRecord. `oldest`: its first event that is there
    (above `head` if none is)."""

    number: int
    head: int
    state: BatchState
    session_id: str
    session_no: int
    reopened_after: int
    oldest: int


@dataclass(slots=True)
class Session:
    """A conversation. `revision` moves on each update."""

    id: str
    tenant: str
    title: str
    context: str
    labels: dict[str, str]
    revision: int
    create_time: int
    update_time: int


class SessionStatistics(NamedTuple):
    batches: int
    unfinished_batches: int
    proposals: int
    pending_decisions: int


@dataclass(slots=True)
class Request:
    """A remembered request. `answers`: batch id -> what that batch's command answered. `chosen`: what it is about."""

    request_id: str
    kind: str
    payload_hash: bytes
    chosen: bytes
    answers: dict[str, bytes]


class SoftCandidate(NamedTuple):
    """A SOFT proposal of a session: pending, or expired not long ago."""

    batch_id: str
    batch_number: int
    session_no: int
    ordinal: int
    key: str
    agent: str
    state: ProposalState
    added_sequence: int
    asked_time: int


class StoredTool(NamedTuple):
    descriptor: ToolDescriptor
    first_seen: int


class Store(Protocol):
    """One owner a file or schema at a time writes a batch; the guard holds that, not the callers' good will."""

    async def start(self, incarnation: Incarnation) -> None:
        """Opens, migrates, records the incarnation; forgets those that have ended and began `KEEP_STARTS` before it.

        Where only one orchestrator may work on it, all earlier starts are over: what was theirs belongs to nobody and
        is due at once, and their submissions that were never published go. Raises PreconditionError STORE_LOCKED
        (another orchestrator has it; a store that stands by waits instead), STORE_NEWER (a schema newer than the code)
        or STORE_UNSUITABLE (a server that would lose what was acknowledged), each saying what to do.
        """
        ...

    async def until_kept(self, kept: bool) -> None:
        """Until that is so: whether it is, as far as is known, still this orchestrator's alone to write."""
        ...

    async def close(self) -> None: ...

    async def commit(self, writes: Sequence[BatchWrite]) -> Committed:
        """One transaction. Guarded: a batch whose head or epoch is not what the writer believes, or that is another's,
        is `lost`. From it on the batch is this start's, or nobody's, as its header says (`owned`).

        A created batch gets its number, makes its session if there is none, and stays invisible until `publish`. Also
        `lost` is one whose request has made another; and any with a command whose request is remembered with another
        kind or payload, or has the batch's answer. Journal positions never fall. Not reentrant: one at a time.
        """
        ...

    async def commit_record_times(self, times: Sequence[tuple[int, int, int]]) -> None:
        """(batch number, sequence, ns): how long from arrival to commit, of what came in with the events up to there.

        It stands for the events before it in the same commit, back to the next such time. Losing one is no harm.
        """
        ...

    # -- batches

    async def get_batch(self, tenant: str, batch_id: str) -> BatchView | None: ...

    async def get_batch_full(
        self, tenant: str, batch_id: str, limit_bytes: int
    ) -> tuple[BatchView, list[ProposalView]] | None:
        """Both from one snapshot; proposals by ordinal from the first on, about `limit_bytes` in all, at least one if
        there is any. No more than that is read."""
        ...

    async def get_batch_answers(
        self,
        tenant: str,
        batch_id: str,
        limit_bytes: int,
        result_bytes: int,
        only: Collection[str] | None = None,
    ) -> tuple[BatchView, list[ProposalView]] | None:
        """Both from one snapshot; what answers are made of, by ordinal. No more than this is read:

        proposals without labels, title, rationale, arguments and result (those are empty; `record_times` too), about
        `limit_bytes` in all, at least one if there is any; then, in order, each of their results that fits beside those
        before it into `result_bytes`. `only`: keys of those that it is about.
        """
        ...

    async def proposal_keys(self, tenant: str, batch_id: str, limit: int) -> list[str]:
        """By ordinal, from the first on."""
        ...

    async def batch_head(self, tenant: str, batch_id: str) -> BatchHead | None: ...

    async def stands(self, batches: Sequence[tuple[str, str]]) -> list[Stand]:
        """Of those (tenant, batch id) that are there; one statement, however many."""
        ...

    async def session_stands(self, sessions: Sequence[tuple[str, str]]) -> list[SessionStand]:
        """Of those (tenant, session id) that have batches; one statement, however many."""
        ...

    async def session_heads(
        self, tenant: str, session_id: str, after_no: int, also: Sequence[int]
    ) -> list[tuple[str, BatchHead]]:
        """(batch id, head) of the session's batches by number: those above `after_no`, those in `also` (session
        numbers), and those that were ever reopened."""
        ...

    async def list_batches(self, tenant: str, where: BatchFilter, before: str | None, limit: int) -> BatchPage:
        """Newest first, by id, below `before`; at most `limit`, fewer where many had to be looked at."""
        ...

    async def read_frames(self, number: int, after: int, limit_bytes: int) -> list[StoredFrame]:
        """Frames that hold events after `after`, in order, about `limit_bytes` in all, at least one if there is any.

        The first may begin before the cursor. By batch number, which only a tenant's look-up gives.
        """
        ...

    # -- old events

    async def compactable(self, tenant: str | None, before: int) -> Compaction:
        """What `compact` would remove in the end. `tenant` None: of all."""
        ...

    async def compact(self, tenant: str | None, before: int) -> Compaction:
        """Removes events of batches that finished before that time, the oldest ones first, a slice in one transaction.

        What was removed is told by `oldest`, in the same transaction; nothing else of a batch changes. Record times go
        with their events.
        """
        ...

    # -- proposals

    async def get_proposal(self, tenant: str, batch_id: str, key: str) -> ProposalView | None: ...

    async def list_proposals(
        self, tenant: str, where: ProposalFilter, after: ProposalCursor | None, limit: int, limit_bytes: int
    ) -> ProposalPage:
        """First those that a decision is asked for, soonest to expire first; then the others, by batch id and
        ordinal. At most `limit`, about `limit_bytes`, one at least; fewer, or none, where many had to be looked at."""
        ...

    async def soft_candidates(self, tenant: str, session_id: str, expired_since: int) -> list[SoftCandidate]:
        """SOFT and pending in the session, whatever the batch, and those expired since; by number, then ordinal."""
        ...

    # -- sessions

    async def create_session(self, session: Session, request: Request | None = None) -> bool:
        """Remembers the request with it, in one transaction. False: the tenant has one of that id, or remembers that
        request; then nothing is written."""
        ...

    async def get_session(self, tenant: str, session_id: str) -> tuple[Session, SessionStatistics] | None: ...

    async def list_sessions(
        self, tenant: str, before: tuple[int, str] | None, limit: int
    ) -> list[tuple[Session, SessionStatistics]]:
        """Newest first; `before`: (create_time, id) of the last one of the page before."""
        ...

    async def update_session(self, session: Session, expected_revision: int, request: Request | None = None) -> bool:
        """With the request, as `create_session`. False: its revision is another now, or that request is remembered."""
        ...

    # -- requests

    async def find_request(self, tenant: str, request_id: str) -> Request | None: ...

    async def find_requests(self, tenant: str, request_ids: Collection[str]) -> dict[str, Request]:
        """Those that are remembered, by id; one statement, however many."""
        ...

    async def claim_request(self, tenant: str, request: Request, now: int) -> Request | None:
        """Remembers it before its commands run. Returns the one that was there, if there was one."""
        ...

    async def forget_requests(self, before: int) -> int:
        """Those made before a time. Returns how many."""
        ...

    # -- executors

    async def journal_positions(self) -> dict[str, int]:
        """Executor id -> the highest position of its journal that any orchestrator has recorded with its answers."""
        ...

    # -- tools

    async def save_tools(self, descriptors: Sequence[ToolDescriptor], now: int) -> list[ToolKey]:
        """Remembers new ones. Returns those for which another descriptor is on record."""
        ...

    async def load_tools(self) -> list[StoredTool]: ...
