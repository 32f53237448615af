"""One active orchestrator a database schema: an advisory lock on a connection of its own, which dies with its holder.

The lock says whose turn it is; that nobody else writes is held by the fence in each transaction (`postgresql_fence`).
"""

import asyncio
import logging
from typing import Any

from sqlalchemy import URL

from orchestrator_svc.adapters.store import postgresql_checks
from orchestrator_svc.adapters.store.failures import is_unavailable, problem
from orchestrator_svc.adapters.store.postgresql_engines import connect, shown
from shared.kernel.errors import PreconditionError, UnavailableError

POLL = 0.05
_LOOK_EVERY = 1.0
_ANSWER_WITHIN = 5.0
_CLASS = 0x67726C74  # "grlt"
_OBJECT = "hashtext(coalesce(current_schema(), ''))"
_TRY = f"SELECT pg_try_advisory_lock({_CLASS}, {_OBJECT})"
_HOLDER = f"""
SELECT format('%s, pid %s, from %s', coalesce(nullif(application_name, ''), 'somebody'), pid,
              coalesce(client_addr::text, 'this machine'))
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = {_CLASS} AND objid = {_OBJECT}::bigint & 4294967295 AND granted
  AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# A connection that broke on its way leaves its end here: with the lock, for as long as nobody notices.
_END_OWN = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = $1 AND usename = current_user AND pid <> pg_backend_pid()
"""
_SUPERSEDED = "SELECT superseded FROM incarnations WHERE id = $1"

_log = logging.getLogger(__name__)


class AdvisoryLock:
    """`held` is whether it is this process's, as far as is known."""

    def __init__(self, url: URL) -> None:
        self._url, self._incarnation, self._name = url, "", ""
        self._connection: Any = None
        self._ended = asyncio.Event()
        self._changed = asyncio.Event()
        self.held = False

    async def acquire(self, incarnation: str, *, standby: bool) -> None:
        """Raises PreconditionError (STORE_LOCKED, or a setting of the server), UnavailableError.

        With `standby` it waits until the holder is gone.
        """
        self._incarnation, self._name = incarnation, f"greenlight {incarnation}"[:63]
        try:
            if await self._try():
                return
            holder = await self._connection.fetchval(_HOLDER) or "somebody who is gone by now"
        except Exception as error:
            self.release()
            raise self._failure(error) from error
        if not standby:
            self.release()
            raise PreconditionError(
                "STORE_LOCKED",
                f"another orchestrator has {shown(self._url)}: {holder}. Stop it first, set GREENLIGHT_STANDBY, or "
                "give this one a database of its own",
                metadata={"path": shown(self._url), "holder": holder},
            )
        _log.warning("standing by until %s is free; it has: %s", shown(self._url), holder)
        await self._stand_by()
        _log.warning("taking over %s", shown(self._url))

    async def _stand_by(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(POLL)
            try:
                if await self._try():
                    return
                failing = False
            except Exception as error:
                if not is_unavailable(error):
                    raise
                if not failing:
                    _log.warning("standing by, and the database is away: %s", problem(error))
                failing = True
                self.release()

    async def keep(self) -> None:
        """Looks after it. Raises PreconditionError (STORE_TAKEN) once another orchestrator has taken over."""
        while True:
            await self._until_lost()
            _log.error("the lock on %s is lost: nothing is written until it is back", shown(self._url))
            self.release()
            await self._get_back()
            _log.warning("the lock on %s is back", shown(self._url))

    async def _until_lost(self) -> None:
        while not self._ended.is_set():
            try:
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._ended.wait()
            except TimeoutError:
                if not await self._answers():
                    return

    async def _answers(self) -> bool:
        try:
            await self._connection.fetchval("SELECT 1", timeout=_ANSWER_WITHIN)
        except Exception as error:
            if not is_unavailable(error):
                raise
            return False
        return True

    async def _get_back(self) -> None:
        while True:
            try:
                if self._connection is None:
                    connection = await self._connect()
                    await connection.execute(_END_OWN, self._name)
                await self._check_not_superseded()
                if await self._try():
                    return await self._check_not_superseded()
            except Exception as error:
                if not is_unavailable(error):
                    raise
                self.release()
            await asyncio.sleep(POLL)

    async def _check_not_superseded(self) -> None:
        if await self._connection.fetchval(_SUPERSEDED, self._incarnation) != 0:
            raise PreconditionError(
                "STORE_TAKEN",
                f"another orchestrator has taken over {shown(self._url)}: this one ends, and serves again once it is "
                "started again",
            )

    def check(self) -> None:
        """Raises UnavailableError while it is not held."""
        if not self.held:
            message = f"the lock on {shown(self._url)} is lost, and is being got back"
            raise UnavailableError("STORE_UNAVAILABLE", message, retry_after=1.0)

    async def until(self, *, held: bool) -> None:
        """Until that is what it is."""
        while self.held is not held:
            self._changed.clear()
            await self._changed.wait()

    def release(self) -> None:
        self._set(held=False)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.remove_termination_listener(self._on_end)
            connection.terminate()

    # -- how

    async def _try(self) -> bool:
        connection = self._connection or await self._connect()
        if await connection.fetchval(_TRY, timeout=_ANSWER_WITHIN):
            self._set(held=True)
            return True
        return False

    async def _connect(self) -> Any:
        self._ended.clear()
        connection = self._connection = await connect(self._url, self._name)
        connection.add_termination_listener(self._on_end)
        await postgresql_checks.check(connection, shown(self._url))
        return connection

    def _on_end(self, connection: object) -> None:
        self._ended.set()

    def _set(self, *, held: bool) -> None:
        self.held = held
        self._changed.set()

    def _failure(self, error: Exception) -> Exception:
        if not is_unavailable(error):
            return error
        message = f"the database {shown(self._url)} cannot be used now: {problem(error)}"
        return UnavailableError("STORE_UNAVAILABLE", message, retry_after=1.0)
