"""Where signals wait for the engine: one list, one event. Keeps order, and says when it gets crowded."""

import asyncio
from collections.abc import Iterable

from orchestrator_svc.ports.executor import CapacityChanged, Signal

CROWDED = 20_000
_CAPACITY_CHANGED = CapacityChanged()


class Mailbox:
    """Many writers, one reader, one loop. Never refuses: who fills it from outside asks `room` before it reads on."""

    def __init__(self) -> None:
        self._signals: list[Signal] = []
        self._wake = asyncio.Event()
        self._taken = asyncio.Event()

    def post(self, signal: Signal) -> None:
        self._signals.append(signal)
        self._wake.set()

    def post_all(self, signals: Iterable[Signal]) -> None:
        self._signals.extend(signals)
        if self._signals:
            self._wake.set()

    def post_capacity(self) -> None:
        """Two in a row say no more than one."""
        if not (self._signals and self._signals[-1] is _CAPACITY_CHANGED):
            self.post(_CAPACITY_CHANGED)

    async def take(self) -> list[Signal]:
        """All that waits, in order; at least one."""
        while not self._signals:
            self._wake.clear()
            await self._wake.wait()
        signals, self._signals = self._signals, []
        self._taken.set()
        return signals

    async def room(self) -> None:
        """Returns once fewer than `CROWDED` signals wait."""
        while len(self._signals) >= CROWDED:
            self._taken.clear()
            await self._taken.wait()
