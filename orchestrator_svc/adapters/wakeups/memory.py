"""Wake-ups between orchestrators of one process, on a bus that they share; one alone on its bus hears nothing."""

import asyncio
from collections.abc import Sequence

from orchestrator_svc.adapters.wakeups.waiting import WaitingWakes
from orchestrator_svc.ports.wakeups import Wake


class WakeupBus:
    """Those who have started and not closed."""

    def __init__(self) -> None:
        self.members: list[MemoryWakeups] = []


class MemoryWakeups:
    """Implements `Wakeups`."""

    def __init__(self, bus: WakeupBus, incarnation: str) -> None:
        self._bus, self._incarnation = bus, incarnation
        self._inbox = WaitingWakes()
        self._arrived = asyncio.Event()

    async def start(self) -> None:
        self._bus.members.append(self)

    def send(self, wakes: Sequence[Wake]) -> None:
        if self in self._bus.members:
            for member in self._bus.members:
                if member is not self:
                    member.deliver(wakes)

    def deliver(self, wakes: Sequence[Wake]) -> None:
        self._inbox.add(wake for wake in wakes if wake.to in ("", self._incarnation))
        if self._inbox:
            self._arrived.set()

    async def receive(self) -> list[Wake]:
        while not self._inbox:
            self._arrived.clear()
            await self._arrived.wait()
        return self._inbox.take()

    async def close(self) -> None:
        if self in self._bus.members:
            self._bus.members.remove(self)
