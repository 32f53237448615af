"""What a store over SQL does, on either database. How it gets to a connection, and commits, is its own."""

from collections.abc import Collection, Sequence

from orchestrator_svc.adapters.store import compacting, keeping, positions
from orchestrator_svc.adapters.store.reading import (
    answers,
    batches,
    full,
    listed_batches,
    listed_proposals,
    proposals,
    requests,
    sessions,
    stands,
    tools,
)
from orchestrator_svc.adapters.store.sql_inbox import SqlInbox
from orchestrator_svc.adapters.store.sql_ownership import SqlOwnership
from orchestrator_svc.domain.tool import ToolDescriptor, ToolKey
from orchestrator_svc.ports.codec import StoredFrame
from orchestrator_svc.ports.feed import SessionStand, Stand
from orchestrator_svc.ports.store import (
    BatchHead,
    Compaction,
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


class SqlStore(SqlOwnership, SqlInbox):
    """Implements `Store`, but for `start`, `close` and `commit`; `Ownership`, but for the lease; and `Commands`."""

    async def commit_record_times(self, times: Sequence[tuple[int, int, int]]) -> None:
        if times:
            await self._write(keeping.record, times)

    # -- batches

    async def get_batch(self, tenant: str, batch_id: str) -> BatchView | None:
        return await self._read(full.get_batch, tenant, batch_id)

    async def get_batch_full(
        self, tenant: str, batch_id: str, limit_bytes: int
    ) -> tuple[BatchView, list[ProposalView]] | None:
        return await self._list(full.get_batch_full, tenant, batch_id, limit_bytes)

    async def get_batch_answers(
        self, tenant: str, batch_id: str, limit_bytes: int, result_bytes: int, only: Collection[str] | None = None
    ) -> tuple[BatchView, list[ProposalView]] | None:
        return await self._list(answers.get_batch_answers, tenant, batch_id, limit_bytes, result_bytes, only)

    async def proposal_keys(self, tenant: str, batch_id: str, limit: int) -> list[str]:
        return await self._list(full.proposal_keys, tenant, batch_id, limit)

    async def batch_head(self, tenant: str, batch_id: str) -> BatchHead | None:
        return await self._read(batches.head, tenant, batch_id)

    async def stands(self, batches: Sequence[tuple[str, str]]) -> list[Stand]:
        return await self._read(stands.of_batches, batches) if batches else []

    async def session_stands(self, sessions: Sequence[tuple[str, str]]) -> list[SessionStand]:
        return await self._read(stands.of_sessions, sessions) if sessions else []

    async def session_heads(
        self, tenant: str, session_id: str, after_no: int, also: Sequence[int]
    ) -> list[tuple[str, BatchHead]]:
        return await self._read(batches.session_heads, tenant, session_id, after_no, also)

    async def list_batches(self, tenant: str, where: BatchFilter, before: str | None, limit: int) -> BatchPage:
        return await self._list(listed_batches.list_batches, tenant, where, before, limit)

    async def read_frames(self, number: int, after: int, limit_bytes: int) -> list[StoredFrame]:
        return await self._read(batches.read_frames, number, after, limit_bytes)

    # -- old events

    async def compactable(self, tenant: str | None, before: int) -> Compaction:
        return await self._list(compacting.compactable, tenant, before)

    async def compact(self, tenant: str | None, before: int) -> Compaction:
        return await self._write(compacting.compact, tenant, before)

    # -- proposals

    async def get_proposal(self, tenant: str, batch_id: str, key: str) -> ProposalView | None:
        return await self._read(proposals.get_proposal, tenant, batch_id, key)

    async def list_proposals(
        self, tenant: str, where: ProposalFilter, after: ProposalCursor | None, limit: int, limit_bytes: int
    ) -> ProposalPage:
        return await self._list(listed_proposals.list_proposals, tenant, where, after, limit, limit_bytes)

    async def soft_candidates(self, tenant: str, session_id: str, expired_since: int) -> list[SoftCandidate]:
        return await self._read(proposals.soft_candidates, tenant, session_id, expired_since)

    # -- sessions

    async def create_session(self, session: Session, request: Request | None = None) -> bool:
        return await self._write(keeping.create_session, session, request)

    async def get_session(self, tenant: str, session_id: str) -> tuple[Session, SessionStatistics] | None:
        return await self._read(sessions.get_session, tenant, session_id)

    async def list_sessions(
        self, tenant: str, before: tuple[int, str] | None, limit: int
    ) -> list[tuple[Session, SessionStatistics]]:
        return await self._list(sessions.list_sessions, tenant, before, limit)

    async def update_session(self, session: Session, expected_revision: int, request: Request | None = None) -> bool:
        return await self._write(keeping.update_session, session, expected_revision, request)

    # -- requests

    async def find_request(self, tenant: str, request_id: str) -> Request | None:
        return await self._look(requests.find_request, tenant, request_id)

    async def find_requests(self, tenant: str, request_ids: Collection[str]) -> dict[str, Request]:
        return await self._look(requests.find_requests, tenant, request_ids)

    async def claim_request(self, tenant: str, request: Request, now: int) -> Request | None:
        if await self._write(keeping.claim_request, tenant, request, now):
            return None
        return await self.find_request(tenant, request.request_id)

    async def forget_requests(self, before: int) -> int:
        return await self._write(keeping.forget_requests, before)

    # -- tools

    async def save_tools(self, descriptors: Sequence[ToolDescriptor], now: int) -> list[ToolKey]:
        return await self._write(keeping.save_tools, descriptors, now)

    async def journal_positions(self) -> dict[str, int]:
        return await self._list(positions.load_positions)

    async def load_tools(self) -> list[StoredTool]:
        return await self._list(tools.load_tools)
