"""Every test here runs with each way of waking."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

import pytest

from orchestrator_svc.adapters.store.postgresql_engines import parse_url
from orchestrator_svc.adapters.wakeups.memory import MemoryWakeups, WakeupBus
from orchestrator_svc.adapters.wakeups.postgresql import PostgresqlWakeups
from orchestrator_svc.ports.wakeups import Wakeups
from tests.support.postgresql import PostgresServer


class Joining(ABC):
    """Orchestrators of one store, by their incarnations."""

    def __init__(self) -> None:
        self._open: list[Wakeups] = []

    @abstractmethod
    def _make(self, incarnation: str) -> Wakeups: ...

    async def join(self, incarnation: str) -> Wakeups:
        """Another one, which has started."""
        wakeups = self._make(incarnation)
        self._open.append(wakeups)
        await wakeups.start()
        return wakeups

    async def close(self) -> None:
        for wakeups in self._open:
            await wakeups.close()


class OnABus(Joining):
    def __init__(self) -> None:
        super().__init__()
        self._bus = WakeupBus()

    def _make(self, incarnation: str) -> Wakeups:
        return MemoryWakeups(self._bus, incarnation)


class OnADatabase(Joining):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = parse_url(url)

    def _make(self, incarnation: str) -> Wakeups:
        return PostgresqlWakeups(self._url, incarnation)


WAYS = ["memory", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=WAYS)
async def joining(request: pytest.FixtureRequest) -> AsyncIterator[Joining]:
    if request.param == "memory":
        joining: Joining = OnABus()
        yield joining
        await joining.close()
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        async with server.database() as url:
            joining = OnADatabase(url)
            yield joining
            await joining.close()
