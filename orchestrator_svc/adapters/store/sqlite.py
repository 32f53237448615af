"""The store in one SQLite file: one thread writes on a connection of its own, others read beside it.

Short reads that somebody's call waits for run in threads (0.06 ms of the loop); long and rare ones (lists, whole
batches, recovery) through aiosqlite, whose steps cost 0.8 ms of the loop and take no thread away from the short ones.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from orchestrator_svc.adapters.store import compacting, keeping, migrating
from orchestrator_svc.adapters.store.committing import commit_group, is_unavailable
from orchestrator_svc.adapters.store.damage import damaged, is_damaged
from orchestrator_svc.adapters.store.engines import (
    READERS,
    create_private,
    listing_engine,
    reader_engine,
    writer_engine,
)
from orchestrator_svc.adapters.store.file_lock import FileLock
from orchestrator_svc.adapters.store.reading import (
    answers,
    batches,
    full,
    listed_batches,
    listed_proposals,
    proposals,
    requests,
    sessions,
    tools,
    whole,
)
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.binding import ArgumentsJudge
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.domain.tool import ToolDescriptor, ToolKey
from orchestrator_svc.ports.codec import EventCodec, StoredFrame
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
from shared.kernel.clock import Clock
from shared.kernel.errors import GreenlightError, UnavailableError

P = ParamSpec("P")
T = TypeVar("T")
RETRY_AFTER = 1.0

_log = logging.getLogger(__name__)


class SqliteStore:
    """Implements `Store`. `path`: of the database file; its folder is made if need be."""

    def __init__(self, path: Path, codec: EventCodec, clock: Clock) -> None:
        self._path, self._codec, self._clock = path, codec, clock
        self._lock = FileLock(path)
        self._writer = writer_engine(path)
        self._reader = reader_engine(path)
        self._lister = listing_engine(path)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._incarnation = ""
        self._told = False

    async def start(self, incarnation: Incarnation) -> None:
        self._own(f"process {os.getpid()}, incarnation {incarnation.id}, version {incarnation.version}")
        self._incarnation = incarnation.id
        try:
            await self._in(self._writing, lambda: migrating.migrate(self._writer, str(self._path)))
            await self._write(keeping.begin, incarnation)
        except BaseException:
            await self.close()
            raise

    def _own(self, holder: str) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(holder)
            create_private(self._path)
        except OSError as error:
            self._lock.release()
            raise UnavailableError(
                "STORE_UNAVAILABLE",
                f"the data folder {self._path.parent} cannot be written to: {error.strerror}. It has to be on a disk "
                "that is not read-only, and belong to the user that the orchestrator runs as",
            ) from error

    async def close(self) -> None:
        """What has begun is finished first."""
        await self._lister.dispose()
        await asyncio.to_thread(self._close)
        self._lock.release()

    def _close(self) -> None:
        self._reading.shutdown()
        self._reader.dispose()
        self._writing.submit(self._writer.dispose)
        self._writing.shutdown()

    async def commit(self, writes: Sequence[BatchWrite]) -> Committed:
        now = self._clock.time_ns()
        return await self._in(self._writing, lambda: commit_group(self._writer, writes, self._codec, now))

    async def commit_record_times(self, times: Sequence[tuple[int, int, int]]) -> None:
        if times:
            await self._write(keeping.record, times)

    # -- batches

    async def unfinished(self, judge: ArgumentsJudge) -> AsyncIterator[Batch]:
        number = 0
        while page := await self._list(whole.unfinished_after, number, judge):
            for batch in page:
                yield batch
            number = page[-1].number

    async def load_batch(self, tenant: str, batch_id: str, judge: ArgumentsJudge) -> Batch | None:
        await self._write(keeping.take, tenant, batch_id, self._incarnation)
        return await self._list(whole.load, tenant, batch_id, judge)

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

    async def session_heads(
        self, tenant: str, session_id: str, after_no: int, also: Sequence[int]
    ) -> list[tuple[str, BatchHead]]:
        return await self._read(batches.session_heads, tenant, session_id, after_no, also)

    async def list_batches(self, tenant: str, where: BatchFilter, before_number: int | None, limit: int) -> BatchPage:
        return await self._list(listed_batches.list_batches, tenant, where, before_number, limit)

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

    async def create_session(self, session: Session) -> bool:
        return await self._write(keeping.create_session, session)

    async def get_session(self, tenant: str, session_id: str) -> tuple[Session, SessionStatistics] | None:
        return await self._read(sessions.get_session, tenant, session_id)

    async def list_sessions(
        self, tenant: str, before: tuple[int, str] | None, limit: int
    ) -> list[tuple[Session, SessionStatistics]]:
        return await self._list(sessions.list_sessions, tenant, before, limit)

    async def update_session(self, session: Session, expected_revision: int) -> bool:
        return await self._write(keeping.update_session, session, expected_revision)

    # -- requests

    async def find_request(self, tenant: str, request_id: str) -> Request | None:
        return await self._read(requests.find_request, tenant, request_id)

    async def claim_request(self, tenant: str, request: Request, now: int) -> Request | None:
        if await self._write(keeping.claim_request, tenant, request, now):
            return None
        return await self.find_request(tenant, request.request_id)

    async def forget_requests(self, before: int) -> int:
        return await self._write(keeping.forget_requests, before)

    # -- tools

    async def save_tools(self, descriptors: Sequence[ToolDescriptor], now: int) -> list[ToolKey]:
        return await self._write(keeping.save_tools, descriptors, now)

    async def load_tools(self) -> list[StoredTool]:
        return await self._list(tools.load_tools)

    # -- how

    async def _read(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def snapshot() -> T:
            with self._reader.connect() as connection:
                return read(connection, *args, **kwargs)

        return await self._in(self._reading, snapshot)

    async def _list(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            async with self._lister.connect() as connection:
                return await connection.run_sync(read, *args, **kwargs)
        except SQLAlchemyError as error:
            raise self._unavailable(error) from error

    async def _write(self, write: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def transaction() -> T:
            with self._writer.begin() as connection:
                return write(connection, *args, **kwargs)

        return await self._in(self._writing, transaction)

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except SQLAlchemyError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: SQLAlchemyError) -> GreenlightError | SQLAlchemyError:
        if not is_unavailable(error):
            return error
        problem = getattr(error, "orig", None) or error
        if is_damaged(error):
            found = damaged(self._path, problem)
            if not self._told:
                _log.error("%s", found)
            self._told = True
            return found
        text = f"the database {self._path} cannot be used now: {problem}"
        return UnavailableError("STORE_UNAVAILABLE", text, retry_after=RETRY_AFTER)
