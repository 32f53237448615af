"""The store in a PostgreSQL database: the same functions as on SQLite, awaited on asyncpg's connections.

A COMMIT whose answer is lost was made or not. The server is asked, by the transaction's id, before anything is said.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from orchestrator_svc.adapters.store import keeping, migrating
from orchestrator_svc.adapters.store.committing import write_group, write_halves
from orchestrator_svc.adapters.store.failures import is_unavailable, problem
from orchestrator_svc.adapters.store.postgresql_engines import reader_engine, shown, writer_engine
from orchestrator_svc.adapters.store.postgresql_fence import fence, status
from orchestrator_svc.adapters.store.postgresql_lock import AdvisoryLock
from orchestrator_svc.adapters.store.sql import SqlStore
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.ports.codec import EventCodec
from orchestrator_svc.ports.store import Committed, Incarnation
from shared.kernel.clock import Clock
from shared.kernel.errors import UnavailableError
from shared.kernel.tasks import Supervisor

P = ParamSpec("P")
T = TypeVar("T")
RETRY_AFTER = 1.0
# How often, and how far apart (s), a transaction in doubt is asked for before its caller is told that it is not known.
_ASKED, _ASKED_APART = 4, 0.25

_log = logging.getLogger(__name__)


class _InDoubtError(Exception):
    """A COMMIT was sent and not answered. `result`: what the transaction comes to if it was made."""

    def __init__(self, transaction: str, result: Any, cause: BaseException) -> None:
        super().__init__(transaction)
        self.transaction, self.result, self.cause = transaction, result, cause


class PostgresqlStore(SqlStore):
    """Implements `Store`. `standby`: where another orchestrator has the database, `start` waits until it is gone.

    `on_taken` is called once another one has taken over: then this process should end.
    """

    def __init__(
        self, url: URL, codec: EventCodec, clock: Clock, on_taken: Callable[[], None], *, standby: bool = False
    ) -> None:
        super().__init__()
        self._name, self._codec, self._clock, self._standby = shown(url), codec, clock, standby
        self._supervisor = Supervisor(lambda name, error: on_taken())
        self._writer = writer_engine(url, "greenlight writer")
        self._reader = reader_engine(url, "greenlight reader")
        self._doubt: tuple[Sequence[BatchWrite], _InDoubtError] | None = None
        self.lock = AdvisoryLock(url)

    async def start(self, incarnation: Incarnation) -> None:
        self._incarnation = incarnation.id
        try:
            # It comes first, so that two that start at once don't migrate at once.
            await self.lock.acquire(incarnation.id, standby=self._standby)
            await self._unfenced(migrating.migrate_within, self._name)
            await self._unfenced(keeping.begin, incarnation)
        except BaseException:
            await self.close()
            raise
        self._supervisor.start(self.lock.keep(), "the lock on the database")

    async def until_kept(self, kept: bool) -> None:
        await self.lock.until(held=kept)

    async def close(self) -> None:
        await self._supervisor.stop()
        await self._reader.dispose()
        await self._writer.dispose()
        self.lock.release()

    async def commit(self, writes: Sequence[BatchWrite]) -> Committed:
        doubt, self._doubt = self._doubt, None
        if doubt is not None and doubt[0] is writes:
            self._doubt = doubt
            if await self._made(doubt[1]):
                self._doubt = None
                return doubt[1].result
        try:
            return await self._commit(writes, self._clock.time_ns())
        except _InDoubtError as error:
            self._doubt = (writes, error)
            return await self._settle(error)

    async def _commit(self, writes: Sequence[BatchWrite], now: int) -> Committed:
        try:
            return await self._transaction(partial(write_group, writes=writes, codec=self._codec, now=now))
        except (_InDoubtError, UnavailableError):
            raise
        except Exception:  # what it is shows in the halves
            return await self._transaction(partial(write_halves, writes=writes, codec=self._codec, now=now))

    # -- how

    async def _read(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def snapshot() -> T:
            async with self._reader.connect() as connection:
                return await connection.run_sync(read, *args, **kwargs)

        return await self._reaching(snapshot)

    async def _list(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._read(read, *args, **kwargs)

    async def _write(self, write: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._transaction(lambda connection: write(connection, *args, **kwargs))
        except _InDoubtError as error:
            return await self._settle(error)

    async def _unfenced(self, write: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def transaction() -> T:
            async with self._writer.begin() as connection:
                return await connection.run_sync(write, *args, **kwargs)

        return await self._reaching(transaction, times=1)

    async def _transaction(self, work: Callable[[Connection], T]) -> T:
        """Raises UnavailableError where nothing was written, _InDoubtError where that is not known."""
        self.lock.check()

        async def transaction() -> T:
            async with self._writer.connect() as connection:
                begun = await connection.begin()
                number = await connection.run_sync(fence, self._incarnation)
                result = await connection.run_sync(work)
                try:
                    await begun.commit()
                except Exception as error:
                    raise _InDoubtError(number, result, error) from error
                return result

        return await self._reaching(transaction)

    async def _reaching(self, work: Callable[[], Awaitable[T]], times: int = 2) -> T:
        """Once more where a connection had died since it was used last: then nothing was done.

        COPY raises what the driver raises; all else comes by SQLAlchemy.
        """
        for left in reversed(range(times)):
            try:
                return await work()
            except Exception as error:
                if not is_unavailable(error):
                    raise
                if not left or not (isinstance(error, DBAPIError) and error.connection_invalidated):
                    raise self._away(error) from error
        raise AssertionError("unreachable")

    # -- a COMMIT in doubt

    async def _settle(self, doubt: _InDoubtError) -> Any:
        """Its result, if it was made; else raises UnavailableError, which says what is known."""
        if not await self._made(doubt):
            raise self._away(doubt.cause)
        _log.warning("the answer to a COMMIT was lost (%s); it was made", problem(doubt.cause))
        return doubt.result

    async def _made(self, doubt: _InDoubtError) -> bool:
        """Raises UnavailableError while that is not known."""
        for _ in range(_ASKED):
            found = await self._read(status, doubt.transaction)
            if found != "in progress":
                return found == "committed"
            await asyncio.sleep(_ASKED_APART)
        message = f"{self._name} does not say yet whether a transaction was committed"
        raise UnavailableError("STORE_UNAVAILABLE", message, retry_after=RETRY_AFTER)

    def _away(self, error: BaseException) -> UnavailableError:
        message = f"the database {self._name} cannot be used now: {problem(error)}"
        return UnavailableError("STORE_UNAVAILABLE", message, retry_after=RETRY_AFTER)
