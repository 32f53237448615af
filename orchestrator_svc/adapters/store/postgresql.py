"""The store in a PostgreSQL database: the same functions as on SQLite, awaited on asyncpg's connections.

A COMMIT whose answer is lost was made or not. The database is asked, by the transaction's mark, before anything is
said.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from orchestrator_svc.adapters.store import migrating, owning, postgresql_checks, postgresql_inbox
from orchestrator_svc.adapters.store.committing import write_group, write_halves
from orchestrator_svc.adapters.store.failures import is_unavailable, problem
from orchestrator_svc.adapters.store.postgresql_connections import Connections
from orchestrator_svc.adapters.store.postgresql_engines import (
    connect,
    inbox_engine,
    lease_engine,
    reader_engine,
    shown,
    writer_engine,
)
from orchestrator_svc.adapters.store.postgresql_fence import Lane, Mark, begin_lanes, fence, last_made, lock_both
from orchestrator_svc.adapters.store.postgresql_lease import end_sessions, renew, writer_name
from orchestrator_svc.adapters.store.postgresql_migrating import lock_schema
from orchestrator_svc.adapters.store.sql import SqlStore
from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.ports.codec import EventCodec
from orchestrator_svc.ports.commands import SentCommand
from orchestrator_svc.ports.ownership import Beat, Lease
from orchestrator_svc.ports.store import Committed, Incarnation
from shared.kernel.clock import Clock
from shared.kernel.errors import UnavailableError

P = ParamSpec("P")
T = TypeVar("T")
RETRY_AFTER = 1.0
# How often, and how far apart (s), a transaction in doubt is asked for before its caller is told that it is not known.
_ASKED, _ASKED_APART = 4, 0.25

_log = logging.getLogger(__name__)


class _InDoubtError(Exception):
    """A COMMIT was sent and not answered. `result`: what the transaction comes to if it was made."""

    def __init__(self, mark: Mark, result: Any, cause: BaseException) -> None:
        super().__init__(mark)
        self.mark, self.result, self.cause = mark, result, cause


def _begin(connection: Connection, incarnation: Incarnation) -> None:
    owning.begin(connection, incarnation, alone=False)
    begin_lanes(connection, incarnation.id)


class PostgresqlStore(SqlStore):
    """Implements `Store`, `Ownership` and `Commands`; several orchestrators may have one on the same database."""

    def __init__(self, url: URL, codec: EventCodec, clock: Clock) -> None:
        super().__init__()
        self._url, self._name, self._codec, self._clock = url, shown(url), codec, clock
        self._connections = Connections()
        self._reader = self._connections.of(reader_engine(url, "greenlight reader"))
        # Looks are one statement each, without a BEGIN and a ROLLBACK around it.
        self._looker = self._reader.execution_options(isolation_level="AUTOCOMMIT")
        self._leases = self._connections.of(lease_engine(url, "greenlight lease"))
        self._inbox = self._connections.of(inbox_engine(url, "greenlight commands"))
        # Its name tells whose it is, once there is a start.
        self._writer = self._connections.of(writer_engine(url, "greenlight writer"))
        self._doubt: tuple[Sequence[BatchWrite], _InDoubtError] | None = None
        self._numbers = dict.fromkeys(Lane, 0)
        self._kept, self._changed = True, asyncio.Event()

    async def start(self, incarnation: Incarnation) -> None:
        self._incarnation = incarnation.id
        self._writer = self._connections.of(writer_engine(self._url, writer_name(incarnation.id)))
        try:
            await self._reaching(self._check)
            lock = partial(lock_schema, name=self._name)
            await self._unfenced(partial(migrating.migrate_within, name=self._name, lock=lock))
            await self._unfenced(partial(_begin, incarnation=incarnation))
        except BaseException:
            await self.close()
            raise

    async def _check(self) -> None:
        connection = await connect(self._url, "greenlight start")
        try:
            await postgresql_checks.check(connection, self._name)
        finally:
            connection.terminate()

    async def until_kept(self, kept: bool) -> None:
        """As the last renewal says: whether there was one, and nobody else had ended this start."""
        while self._kept is not kept:
            self._changed.clear()
            await self._changed.wait()

    def give_up(self) -> None:
        """What is under way fails, and so does all that comes: for who ends, and cannot wait for the database."""
        self._connections.give_up()

    async def close(self) -> None:
        await self._connections.close()

    # -- leases

    @property
    def shared(self) -> bool:
        return True

    async def renew(self) -> Beat:
        async def beat() -> Beat:
            async with self._leases.begin() as connection:
                return await connection.run_sync(renew, self._incarnation, self._name)

        kept = False
        try:
            found = await self._reaching(beat)
            self._connections.can_write()
            kept = True
            return found
        finally:
            self._kept = kept
            self._changed.set()

    async def end(self) -> None:
        """Also where another one did so already, and ended its connection."""
        await self._unfenced(partial(owning.end, incarnation=self._incarnation), times=2)

    async def supersede(self, lease: Lease) -> bool:
        async def over() -> None:
            async with self._leases.begin() as connection:
                await connection.run_sync(end_sessions, lease)

        await self._reaching(over)
        first = partial(lock_both, incarnation=self._incarnation, other=lease)
        return await self._settled(partial(owning.supersede, lease=lease), first)

    async def send(self, commands: Sequence[SentCommand], now: int) -> bool:
        async def sent() -> None:
            async with self._inbox.connect() as connection:
                await connection.run_sync(postgresql_inbox.send, commands, now, self._incarnation)

        await self._reaching(sent)
        return True

    # -- batches

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
            return await self._changes(partial(write_group, writes=writes, codec=self._codec, now=now))
        except (_InDoubtError, UnavailableError):
            raise
        except Exception:  # what it is shows in the halves
            return await self._changes(partial(write_halves, writes=writes, codec=self._codec, now=now))

    async def _changes(self, work: Callable[[Connection], Committed]) -> Committed:
        return await self._transaction(work, Lane.CHANGES)

    # -- how

    async def _read(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def snapshot() -> T:
            async with self._reader.connect() as connection:
                return await connection.run_sync(read, *args, **kwargs)

        return await self._reaching(snapshot)

    async def _look(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def snapshot() -> T:
            async with self._looker.connect() as connection:
                return await connection.run_sync(read, *args, **kwargs)

        return await self._reaching(snapshot)

    async def _list(self, read: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._read(read, *args, **kwargs)

    async def _write(self, write: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._settled(lambda connection: write(connection, *args, **kwargs))

    async def _settled(self, work: Callable[[Connection], T], first: Callable[[Connection], None] | None = None) -> T:
        try:
            return await self._transaction(work, Lane.OTHERS, first)
        except _InDoubtError as error:
            return await self._settle(error)

    async def _unfenced(self, write: Callable[[Connection], T], times: int = 1) -> T:
        async def transaction() -> T:
            async with self._writer.begin() as connection:
                return await connection.run_sync(write)

        return await self._reaching(transaction, times)

    async def _transaction(
        self, work: Callable[[Connection], T], lane: Lane, first: Callable[[Connection], None] | None = None
    ) -> T:
        """`first`: before the fence. Raises UnavailableError where nothing was written, _InDoubtError where that is not
        known."""

        async def transaction() -> T:
            self._numbers[lane] += 1
            mark = Mark(lane, self._numbers[lane])
            async with self._writer.connect() as connection:
                begun = await connection.begin()
                if first is not None:
                    await connection.run_sync(first)
                await connection.run_sync(fence, self._incarnation, mark)
                result = await connection.run_sync(work)
                try:
                    await begun.commit()
                except Exception as error:
                    raise _InDoubtError(mark, result, error) from error
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
            found = await self._reaching(partial(self._last_made, doubt.mark.lane))
            if found is not None and found <= doubt.mark.number:
                return found == doubt.mark.number
            await asyncio.sleep(_ASKED_APART)
        message = f"{self._name} does not say yet whether a transaction was committed"
        raise UnavailableError("STORE_UNAVAILABLE", message, retry_after=RETRY_AFTER)

    async def _last_made(self, lane: Lane) -> int | None:
        async with self._writer.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            return await connection.run_sync(last_made, self._incarnation, lane)

    def _away(self, error: BaseException) -> UnavailableError:
        why = "it does not answer, and was given up" if self._connections.given_up else problem(error)
        message = f"the database {self._name} cannot be used now: {why}"
        return UnavailableError("STORE_UNAVAILABLE", message, retry_after=RETRY_AFTER)
