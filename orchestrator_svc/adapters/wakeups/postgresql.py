"""Wake-ups by LISTEN and NOTIFY, on a connection of their own: beside all transactions of the store, and best effort.

While a NOTIFY is under way the next ones are gathered: however much is committed, one is under way at a time.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import URL

from orchestrator_svc.adapters.store.failures import is_unavailable, problem
from orchestrator_svc.adapters.store.postgresql_engines import connect, shown
from orchestrator_svc.adapters.wakeups.payloads import CHANNEL, pack, sender_of, unpack
from orchestrator_svc.adapters.wakeups.waiting import WaitingWakes
from orchestrator_svc.ports.wakeups import Wake, WakeKind
from shared.kernel.tasks import Supervisor

_NOTIFY = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"
_CHANNEL = f"SELECT {CHANNEL}"
_LOOK_EVERY, _ANSWER_WITHIN = 5.0, 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_LAST_WORDS = 1.0

_log = logging.getLogger(__name__)


class PostgresqlWakeups:
    """Implements `Wakeups`, for the orchestrators of one schema of a database."""

    def __init__(self, url: URL, incarnation: str) -> None:
        self._url, self._incarnation = url, incarnation
        self._inbox, self._outbox = WaitingWakes(), WaitingWakes()
        self._arrived, self._stir, self._tried = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._connected = self._closing = self._away = False
        self._failure: BaseException | None = None
        self._supervisor = Supervisor(self._failed)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = self._supervisor.start(self._run(), "wake-ups")
        await self._tried.wait()

    def send(self, wakes: Sequence[Wake]) -> None:
        self._outbox.add(wakes)
        self._stir.set()

    async def receive(self) -> list[Wake]:
        """Raises what has ended its own work, should that be anything but the database's absence."""
        while not self._inbox:
            if self._failure is not None:
                raise self._failure
            self._arrived.clear()
            await self._arrived.wait()
        return self._inbox.take()

    async def close(self) -> None:
        self._closing = True
        self._stir.set()
        if self._task is not None and self._connected:
            await asyncio.wait([self._task], timeout=_LAST_WORDS)
        await self._supervisor.stop()

    # -- its own life

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                async with self._listening() as (connection, channel):
                    pause = _FIRST_PAUSE
                    return await self._talk(connection, channel)
            except Exception as error:
                if not is_unavailable(error):
                    raise
                self._tell_away(problem(error))
            if self._closing:
                return
            self._tried.set()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    @asynccontextmanager
    async def _listening(self) -> AsyncGenerator[tuple[Any, str]]:
        connection = await connect(self._url, "greenlight wake-ups")
        try:
            connection.add_termination_listener(self._ended)
            channel = await connection.fetchval(_CHANNEL)
            await connection.add_listener(channel, self._heard)
            self._connected = True
            if self._away:
                _log.warning("wake-ups come again from %s", shown(self._url))
                self._away = False
                self._deliver([Wake(WakeKind.MISSED)])
            self._tried.set()
            yield connection, channel
        finally:
            self._connected = False
            connection.terminate()

    async def _talk(self, connection: Any, channel: str) -> None:
        """Until all is said and it is closed. Raises ConnectionError, or what the driver says, where it breaks."""
        while not connection.is_closed():
            wakes = self._outbox.take()
            if wakes:
                await self._notify(connection, channel, wakes)
            elif self._closing:
                return await connection.close(timeout=_ANSWER_WITHIN)
            elif not await self._stirred():
                await connection.fetchval("SELECT 1", timeout=_ANSWER_WITHIN)
        raise ConnectionError("the server has closed the connection")

    async def _notify(self, connection: Any, channel: str, wakes: list[Wake]) -> None:
        try:
            await connection.execute(_NOTIFY, channel, pack(self._incarnation, wakes), timeout=_ANSWER_WITHIN)
        except BaseException:
            self._outbox.add(wakes)
            raise

    async def _stirred(self) -> bool:
        """False: nothing happened for so long that the connection had better be looked at."""
        try:
            async with asyncio.timeout(_LOOK_EVERY):
                await self._stir.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(0)  # what is said in the same turn of the loop goes along
        self._stir.clear()
        return True

    # -- what comes

    def _heard(self, connection: object, pid: int, channel: str, payload: object) -> None:
        text = str(payload)
        if sender_of(text) != self._incarnation:
            self._deliver([wake for wake in unpack(text) if wake.to in ("", self._incarnation)])

    def _ended(self, connection: object) -> None:
        self._stir.set()

    def _deliver(self, wakes: Sequence[Wake]) -> None:
        self._inbox.add(wakes)
        if self._inbox:
            self._arrived.set()

    def _tell_away(self, why: str) -> None:
        """Once, until it is back."""
        if not self._away and not self._closing:
            _log.warning("no wake-ups from %s: %s; what others do is seen a second later", shown(self._url), why)
            self._away = True

    def _failed(self, name: str, error: BaseException) -> None:
        self._failure = error
        self._arrived.set()
        self._tried.set()
