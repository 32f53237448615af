"""The floor under wake-ups: about once a second, how far that is which somebody watches here.

So a wake-up that was lost costs a second, and no event. One query for all batches and one for all sessions; none where
nobody watches, or no other orchestrator is there to move anything.
"""

import asyncio
import logging
from collections.abc import Callable

from orchestrator_svc.ports.feed import Feed
from orchestrator_svc.ports.store import Store
from shared.kernel.errors import UnavailableError

INTERVAL = 1.0

_log = logging.getLogger(__name__)


class Polling:
    """`others`: whether another orchestrator lives that writes to the same store. `interval`: in s."""

    def __init__(self, store: Store, feed: Feed, others: Callable[[], bool], interval: float = INTERVAL) -> None:
        self._store, self._feed, self._others, self._interval = store, feed, others, interval
        self._had_others = False

    async def run(self) -> None:
        """A store that is away is asked again; its absence is told by those who write to it."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.look()
            except UnavailableError as error:
                _log.debug("watchers wait for the store: %s", error)

    async def look(self) -> None:
        """Once more after the last of the others has gone: what it did before it went may not have been told."""
        others = self._others()
        if others or self._had_others:
            batches, sessions = self._feed.watched()
            if batches:
                self._feed.nudge(await self._store.stands(batches))
            if sessions:
                self._feed.nudge_sessions(await self._store.session_stands(sessions))
        self._had_others = others
