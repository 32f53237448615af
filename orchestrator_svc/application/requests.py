"""Repeatable requests: the same id with the same payload gets the earlier answer, and does nothing again."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from orchestrator_svc.application.caller import RequestKey
from orchestrator_svc.ports.commands import CommandAnswer
from orchestrator_svc.ports.store import Request, Store
from shared.kernel.clock import Clock
from shared.kernel.errors import FieldViolation, InvalidError, UnavailableError

RETENTION = 24 * 3600 * 1_000_000_000
_SWEEP_SECONDS = 3600.0

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Turns:
    """Of those that wait for each other. `judged`: the batches for which the request was, in that time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    judged: set[str] = field(default_factory=set[str])


class Requests:
    """One at a time per id; `run` forgets those older than 24 h.

    `answered`: waits for what is still being recorded of one whose caller is gone, or was told to ask again.
    """

    def __init__(self, store: Store, clock: Clock, answered: Callable[[str, str], Awaitable[None]]) -> None:
        self._store, self._clock, self._answered = store, clock, answered
        self._turns: dict[tuple[str, ...], _Turns] = {}

    @asynccontextmanager
    async def once(self, tenant: str, key: RequestKey | None) -> AsyncGenerator[Request | None]:
        """Yields what is remembered of it. Raises InvalidError (REQUEST_ID_REUSED), UnavailableError."""
        if key is None:
            yield None
            return
        async with self._one_at_a_time((tenant, key.request_id)):
            yield await self.remembered(tenant, key)

    async def remembered(self, tenant: str, key: RequestKey) -> Request | None:
        """As it is on record now. Raises as `once`."""
        await self._answered(tenant, key.request_id)
        found = await self._store.find_request(tenant, key.request_id)
        check_same(found, key)
        return found

    @asynccontextmanager
    async def command(self, tenant: str, batch_id: str, request_id: str) -> AsyncGenerator[bool]:
        """One at a time per id and batch, whoever sent it. Yields whether there was another one, now or since the
        request was looked for (`once`)."""
        request = (tenant, request_id)
        async with self._one_at_a_time((*request, batch_id)) as waited:
            try:
                yield waited or (request in self._turns and batch_id in self._turns[request].judged)
            finally:
                if request in self._turns:
                    self._turns[request].judged.add(batch_id)

    async def recorded(self, tenant: str, batch_id: str, key: RequestKey) -> bytes | None:
        """What was answered for a batch, by whichever orchestrator had it. Raises as `once`."""
        found = await self.remembered(tenant, key)
        return None if found is None else found.answers.get(batch_id)

    async def known(self, tenant: str, request_ids: Collection[str]) -> dict[str, Request]:
        """As they are on record now, by id. Raises UnavailableError."""
        for request_id in request_ids:
            await self._answered(tenant, request_id)
        return await self._store.find_requests(tenant, request_ids)

    async def claim(self, tenant: str, key: RequestKey | None, chosen: bytes) -> Request | None:
        """Remembers it before its commands run, where they are several. Returns the one that another orchestrator has
        remembered meanwhile. Raises InvalidError (REQUEST_ID_REUSED)."""
        if key is None:
            return None
        earlier = await self._store.claim_request(tenant, request_about(key, chosen), self._clock.time_ns())
        check_same(earlier, key)
        return earlier

    @asynccontextmanager
    async def _one_at_a_time(self, name: tuple[str, ...]) -> AsyncGenerator[bool]:
        turns = self._turns.setdefault(name, _Turns())
        turns.users += 1
        waited = turns.users > 1
        try:
            async with turns.lock:
                yield waited
        finally:
            turns.users -= 1
            if not turns.users:
                del self._turns[name]

    async def run(self) -> None:
        while True:
            try:
                await self._store.forget_requests(self._clock.time_ns() - RETENTION)
            except UnavailableError as error:
                _log.warning("old requests are forgotten an hour later: %s", error)
            await asyncio.sleep(_SWEEP_SECONDS)


def request_about(key: RequestKey, chosen: bytes) -> Request:
    """As it is remembered before any of its commands has answered."""
    return Request(key.request_id, key.kind, key.payload_hash, chosen, {})


def check_same(found: Request | CommandAnswer | None, key: RequestKey) -> None:
    """Raises InvalidError where the id was used for something else."""
    if found is not None and (found.kind != key.kind or found.payload_hash != key.payload_hash):
        problem = f"was used for another {found.kind} request; make a new id for each request"
        raise InvalidError(
            "REQUEST_ID_REUSED",
            f"request_id {key.request_id} {problem}",
            violations=[FieldViolation("request_id", problem)],
        )
