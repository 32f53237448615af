"""A store whose world stops before or after one of its writes: before it, or when it is on disk and nobody knows."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any, cast

from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.ports.commands import Commands
from orchestrator_svc.ports.ownership import Ownership
from orchestrator_svc.ports.store import Committed, Incarnation, Store
from tests.support.fuse import Fuse, Quiet
from tests.support.stores import WholeStore

_OF_BATCHES = (
    "get_batch",
    "get_batch_full",
    "get_batch_answers",
    "batch_head",
    "list_batches",
    "read_frames",
    "stands",
)
_OF_PROPOSALS = ("get_proposal", "list_proposals", "proposal_keys", "soft_candidates")
_OF_SESSIONS = ("get_session", "list_sessions", "session_heads", "session_stands")
_OF_OWNERS = ("next_wake", "still", "received", "answers")
_OF_OTHERS = ("compactable", "find_request", "find_requests", "journal_positions", "load_tools", "until_kept", "close")
READS = {*_OF_BATCHES, *_OF_PROPOSALS, *_OF_SESSIONS, *_OF_OWNERS, *_OF_OTHERS}
METHODS = {
    name
    for port in (Store, Ownership, Commands)
    for name, member in vars(port).items()
    if inspect.iscoroutinefunction(member)
}
WRITES = METHODS - READS


class CrashingStore:
    """`unwritten`: what the stopped world would have committed next. `quiet`: of calls under way."""

    def __init__(self, inner: Store, fuse: Fuse | None = None) -> None:
        self.inner, self.fuse = inner, fuse or Fuse()
        self.quiet = Quiet()
        self.unwritten: Sequence[BatchWrite] = ()

    @property
    def port(self) -> WholeStore:
        return cast(WholeStore, self)

    async def start(self, incarnation: Incarnation) -> None:
        await self._write("start", self.inner.start, incarnation)

    async def commit(self, writes: Sequence[BatchWrite]) -> Committed:
        if not self.fuse.holds("before commit"):
            self.unwritten = self.unwritten or writes
            await self.fuse.never()
        return await self._written("commit", self.inner.commit, writes)

    async def _write(self, name: str, method: Callable[..., Any], *arguments: Any) -> Any:
        await self.fuse.stand(f"before {name}")
        return await self._written(name, method, *arguments)

    async def _written(self, name: str, method: Callable[..., Any], *arguments: Any) -> Any:
        with self.quiet:
            answer = await method(*arguments)
        await self.fuse.stand(f"after {name}")
        return answer

    async def _read(self, method: Callable[..., Any], *arguments: Any) -> Any:
        if self.fuse.off:
            await self.fuse.never()
        with self.quiet:
            return await method(*arguments)

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.inner, name)
        if not inspect.iscoroutinefunction(member):
            return member
        if name in READS:
            return lambda *arguments: self._read(member, *arguments)
        return lambda *arguments: self._write(name, member, *arguments)


async def settle(store: CrashingStore) -> None:
    """Until no call is under way (a store with threads is not done after a few turns), or the world has stopped."""
    while store.quiet.busy and not store.fuse.off:
        await store.quiet.wait()
        await asyncio.sleep(0)
