"""The store in memory: for tests, and for a service that may forget. Nothing that it hands out is what it keeps."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace

from orchestrator_svc.adapters.store.memory_batches import KeptBatch
from orchestrator_svc.adapters.store.memory_budgets import answers, cut
from orchestrator_svc.adapters.store.memory_commits import Holdings
from orchestrator_svc.adapters.store.memory_compaction import compact, compactable
from orchestrator_svc.adapters.store.memory_inbox import MemoryInbox
from orchestrator_svc.adapters.store.memory_ownership import MemoryOwnership
from orchestrator_svc.adapters.store.memory_searches import find_batches, find_proposals, find_soft
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.domain.tool import ToolDescriptor, ToolKey
from orchestrator_svc.ports.codec import EventCodec, StoredFrame
from orchestrator_svc.ports.feed import SessionStand, Stand
from orchestrator_svc.ports.store import (
    BatchHead,
    Committed,
    Compaction,
    Incarnation,
    Request,
    Session,
    SessionStatistics,
    SoftCandidate,
    StoredTool,
)
from orchestrator_svc.ports.views import (
    BatchFilter,
    BatchPage,
    BatchView,
    ProposalCursor,
    ProposalFilter,
    ProposalPage,
    ProposalView,
)
from shared.kernel.clock import Clock, SystemClock


class MemoryStore(MemoryOwnership, MemoryInbox):
    """Implements `Store`, `Ownership` and `Commands`. What it holds outlives `close`: a test may start it again.

    `held`, `shared`: for several that stand for several orchestrators on one database.
    """

    def __init__(
        self, codec: EventCodec, held: Holdings | None = None, *, shared: bool = False, clock: Clock | None = None
    ) -> None:
        super().__init__(held or Holdings(), clock or SystemClock(), shared=shared)
        self._codec = codec
        self._now = 0

    async def start(self, incarnation: Incarnation) -> None:
        self._now = incarnation.start_time
        self._begin(incarnation)

    async def until_kept(self, kept: bool) -> None:
        """It always is."""
        if not kept:
            await asyncio.Event().wait()

    async def close(self) -> None:
        pass

    async def commit(self, writes: Sequence[BatchWrite]) -> Committed:
        self._check()
        return self._held.commit(writes, self._codec, self._now)

    async def commit_record_times(self, times: Sequence[tuple[int, int, int]]) -> None:
        self._check()
        by_number = {kept.number: kept for kept in self._held.batches.values()}
        for number, sequence, duration in times:
            by_number[number].record_times.setdefault(sequence, duration)

    # -- batches

    def _published(self, tenant: str) -> list[KeptBatch]:
        found = [kept for (owner, _), kept in self._held.batches.items() if owner == tenant and kept.published]
        return sorted(found, key=lambda kept: kept.number)

    async def get_batch(self, tenant: str, batch_id: str) -> BatchView | None:
        kept = self._held.find(tenant, batch_id)
        return kept.view() if kept else None

    async def get_batch_full(
        self, tenant: str, batch_id: str, limit_bytes: int
    ) -> tuple[BatchView, list[ProposalView]] | None:
        kept = self._held.find(tenant, batch_id)
        return (kept.view(), cut(kept.views(), limit_bytes)) if kept else None

    async def get_batch_answers(
        self, tenant: str, batch_id: str, limit_bytes: int, result_bytes: int, only: Collection[str] | None = None
    ) -> tuple[BatchView, list[ProposalView]] | None:
        kept = self._held.find(tenant, batch_id)
        if kept is None:
            return None
        views = [view for view in kept.views() if only is None or view.proposal.key in only]
        return kept.view(), answers(views, limit_bytes, result_bytes)

    async def proposal_keys(self, tenant: str, batch_id: str, limit: int) -> list[str]:
        kept = self._held.find(tenant, batch_id)
        return [proposal.key for _, (proposal, _) in sorted(kept.proposals.items())][:limit] if kept else []

    async def batch_head(self, tenant: str, batch_id: str) -> BatchHead | None:
        kept = self._held.find(tenant, batch_id)
        return kept.head() if kept else None

    async def stands(self, batches: Sequence[tuple[str, str]]) -> list[Stand]:
        found = [(tenant, batch_id, self._held.find(tenant, batch_id)) for tenant, batch_id in batches]
        return [Stand(tenant, kept.shell.session_id, each, kept.header.head) for tenant, each, kept in found if kept]

    async def session_stands(self, sessions: Sequence[tuple[str, str]]) -> list[SessionStand]:
        events: dict[tuple[str, str], int] = {}
        for tenant in {tenant for tenant, _ in sessions}:
            for kept in self._published(tenant):
                key = (tenant, kept.shell.session_id)
                events[key] = events.get(key, 0) + kept.header.head
        return [SessionStand(*key, events[key]) for key in sessions if key in events]

    async def session_heads(
        self, tenant: str, session_id: str, after_no: int, also: Sequence[int]
    ) -> list[tuple[str, BatchHead]]:
        of_session = [
            kept
            for (owner, _), kept in self._held.batches.items()
            if owner == tenant and kept.shell.session_id == session_id
        ]
        hidden = [kept.session_no for kept in of_session if not kept.published]
        found: list[tuple[str, BatchHead]] = []
        for kept in sorted(of_session, key=lambda kept: kept.session_no):
            head = kept.head()
            new = head.session_no > after_no or head.reopened_after
            if kept.published and (kept.session_no in also or (new and kept.session_no < min(hidden, default=1 << 62))):
                found.append((kept.shell.id, head))
        return found

    async def list_batches(self, tenant: str, where: BatchFilter, before: str | None, limit: int) -> BatchPage:
        return find_batches(self._published(tenant), where, before, limit)

    async def read_frames(self, number: int, after: int, limit_bytes: int) -> list[StoredFrame]:
        found: list[StoredFrame] = []
        size = 0
        for kept in self._held.batches.values():
            if kept.number == number:
                for frame in kept.frames:
                    if frame.last > after and (not found or size < limit_bytes):
                        found.append(frame)
                        size += len(frame.payload)
        return found

    # -- old events

    async def compactable(self, tenant: str | None, before: int) -> Compaction:
        return compactable(self._held.batches.values(), tenant, before)

    async def compact(self, tenant: str | None, before: int) -> Compaction:
        self._check()
        return compact(self._held.batches.values(), tenant, before)

    # -- proposals

    async def get_proposal(self, tenant: str, batch_id: str, key: str) -> ProposalView | None:
        kept = self._held.find(tenant, batch_id)
        views = kept.views() if kept else []
        return next((view for view in views if view.proposal.key == key), None)

    async def list_proposals(
        self, tenant: str, where: ProposalFilter, after: ProposalCursor | None, limit: int, limit_bytes: int
    ) -> ProposalPage:
        found, rest = find_proposals(self._published(tenant), where, after, limit)
        fit = cut(found, limit_bytes)
        return ProposalPage(fit, fit[-1].cursor if rest or len(fit) < len(found) else None)

    async def soft_candidates(self, tenant: str, session_id: str, expired_since: int) -> list[SoftCandidate]:
        return find_soft(self._published(tenant), session_id, expired_since)

    # -- sessions

    async def create_session(self, session: Session, request: Request | None = None) -> bool:
        self._check()
        key = (session.tenant, session.id)
        if key in self._held.sessions:
            return False
        if request is not None and await self.claim_request(session.tenant, request, session.create_time):
            return False
        self._held.sessions[key] = replace(session, labels=dict(session.labels))
        return True

    async def get_session(self, tenant: str, session_id: str) -> tuple[Session, SessionStatistics] | None:
        session = self._held.sessions.get((tenant, session_id))
        return self._with_statistics(session) if session else None

    def _with_statistics(self, session: Session) -> tuple[Session, SessionStatistics]:
        batches = [kept for kept in self._published(session.tenant) if kept.shell.session_id == session.id]
        statistics = SessionStatistics(
            len(batches),
            sum(not kept.header.state.finished for kept in batches),
            sum(sum(kept.header.counts) for kept in batches),
            sum(kept.header.asked for kept in batches),
        )
        return replace(session, labels=dict(session.labels)), statistics

    async def list_sessions(
        self, tenant: str, before: tuple[int, str] | None, limit: int
    ) -> list[tuple[Session, SessionStatistics]]:
        sessions = [session for session in self._held.sessions.values() if session.tenant == tenant]
        sessions.sort(key=lambda session: (session.create_time, session.id), reverse=True)
        if before is not None:
            sessions = [session for session in sessions if (session.create_time, session.id) < before]
        return [self._with_statistics(session) for session in sessions[:limit]]

    async def update_session(self, session: Session, expected_revision: int, request: Request | None = None) -> bool:
        self._check()
        key = (session.tenant, session.id)
        kept = self._held.sessions.get(key)
        if kept is None or kept.revision != expected_revision:
            return False
        if request is not None and await self.claim_request(session.tenant, request, session.update_time):
            return False
        self._held.sessions[key] = replace(
            session, labels=dict(session.labels), revision=expected_revision + 1, create_time=kept.create_time
        )
        return True

    # -- requests

    async def find_request(self, tenant: str, request_id: str) -> Request | None:
        request, _ = self._held.requests.get((tenant, request_id), (None, 0))
        if request is None:
            return None
        answers = {id_: answer for id_, answer in request.answers.items() if self._held.find(tenant, id_)}
        return replace(request, answers=answers)

    async def find_requests(self, tenant: str, request_ids: Collection[str]) -> dict[str, Request]:
        found = {each: await self.find_request(tenant, each) for each in request_ids}
        return {each: request for each, request in found.items() if request is not None}

    async def claim_request(self, tenant: str, request: Request, now: int) -> Request | None:
        self._check()
        earlier = await self.find_request(tenant, request.request_id)
        if earlier is None:
            self._held.requests[tenant, request.request_id] = (replace(request, answers={}), now)
        return earlier

    async def forget_requests(self, before: int) -> int:
        self._check()
        old = [key for key, (_, created) in self._held.requests.items() if created < before]
        for key in old:
            del self._held.requests[key]
        return len(old)

    # -- executors

    async def journal_positions(self) -> dict[str, int]:
        return dict(self._held.positions)

    # -- tools

    async def save_tools(self, descriptors: Sequence[ToolDescriptor], now: int) -> list[ToolKey]:
        self._check()
        different: list[ToolKey] = []
        for descriptor in descriptors:
            key = (descriptor.key.name, descriptor.key.version)
            known = self._held.tools.setdefault(key, StoredTool(descriptor, now))
            if known.descriptor != descriptor:
                different.append(descriptor.key)
        return different

    async def load_tools(self) -> list[StoredTool]:
        tools = self._held.tools.values()
        return sorted(tools, key=lambda tool: (tool.descriptor.key.name, tool.first_seen, tool.descriptor.key.version))
