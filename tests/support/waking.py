"""Wake-ups for tests: read until one came, or all of them lost."""

from collections.abc import Sequence
from typing import Any, cast

from orchestrator_svc.ports.wakeups import Wake, WakeKind, Wakeups

END = Wake(WakeKind.RELEASED)
"""What a test sends last: whatever was sent before it has come when this has."""


async def until_end(wakeups: Wakeups) -> list[Wake]:
    """What came before `END`, which comes after all that its sender sent earlier."""
    found: list[Wake] = []
    while END not in found:
        found += await wakeups.receive()
    return [wake for wake in found if wake != END]


class DeafWakeups:
    """Loses every wake, those that are sent and those that come. `lost`: how many."""

    def __init__(self, inner: Wakeups) -> None:
        self._inner = inner
        self.lost = 0

    @property
    def port(self) -> Wakeups:
        return cast(Wakeups, self)

    def send(self, wakes: Sequence[Wake]) -> None:
        self.lost += len(wakes)

    async def receive(self) -> list[Wake]:
        while True:
            self.lost += len(await self._inner.receive())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
