"""The connections of a store, so that they can be cut off at once where the server answers nothing.

To close one politely, asyncpg waits for the server's end of it, as long as for a statement.
"""

import asyncio
from typing import Any
from weakref import WeakSet

from sqlalchemy import ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

FAREWELL = 1.0
"""Seconds that the server has to see its connections closed."""
_READ_ONLY = "25006"


class Connections:
    """Those of the engines that it was given. `given_up`: what was under way has failed, and nothing more is begun."""

    def __init__(self) -> None:
        self.given_up = False
        self._engines: list[AsyncEngine] = []
        self._open = WeakSet[Any]()
        self._entries = WeakSet[ConnectionPoolEntry]()
        self._only_read = False

    def of(self, engine: AsyncEngine) -> AsyncEngine:
        self._engines.append(engine)
        event.listen(engine.sync_engine, "do_connect", self._connecting)
        event.listen(engine.sync_engine, "connect", self._connected)
        event.listen(engine.sync_engine, "handle_error", self._leave_what_only_reads)
        return engine

    def give_up(self) -> None:
        """Does not wait."""
        self.given_up = True
        for connection in list(self._open):
            connection.terminate()

    def can_write(self) -> None:
        """A session has written. Others that began since one could not may be of the server that only reads: they would
        go on reading there, and it may be behind for ever."""
        if self._only_read:
            self._only_read = False
            self._leave_all()

    async def close(self) -> None:
        """All that are idle."""
        giving_up = asyncio.get_running_loop().call_later(FAREWELL, self.give_up)
        try:
            for engine in self._engines:
                await engine.dispose()
        finally:
            giving_up.cancel()

    def _connecting(self, *_: object) -> None:
        if self.given_up:
            raise ConnectionError("it was given up")

    def _connected(self, connection: Any, entry: ConnectionPoolEntry) -> None:
        self._open.add(connection.driver_connection)
        self._entries.add(entry)
        if self.given_up:
            connection.driver_connection.terminate()

    def _leave_what_only_reads(self, context: ExceptionContext) -> None:
        """A session may stay what it began as. Where its server writes again, or another one does in its place, a new
        one can."""
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True
            self._only_read = True
            self._leave_all()

    def _leave_all(self) -> None:
        """Each when it is used next."""
        for entry in list(self._entries):
            entry.invalidate(soft=True)
