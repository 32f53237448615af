"""A store whose world stops at its n-th commit, before it or after it: nothing that happens then is heard of."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, cast

from orchestrator_svc.domain.changes import BatchWrite
from orchestrator_svc.ports.store import Committed, Store


class Moment(Enum):
    """When it stops."""

    BEFORE = "before"
    AFTER = "after"


class CrashingStore:
    """`crashed` is set at the n-th commit (counted from 1; 0: never), which does not return."""

    def __init__(self, inner: Store, at: int = 0, moment: Moment = Moment.BEFORE) -> None:
        self.inner, self._at, self._moment = inner, at, moment
        self.crashed = asyncio.Event()
        self.commits = 0
        self.busy = 0

    @property
    def port(self) -> Store:
        return cast(Store, self)

    async def commit(self, writes: Sequence[BatchWrite]) -> Committed:
        self.commits += 1
        last = self.commits == self._at
        if last and self._moment is Moment.BEFORE:
            await self._stop()
        self.busy += 1
        try:
            committed = await self.inner.commit(writes)
        finally:
            self.busy -= 1
        if last:
            await self._stop()
        return committed

    async def quiet(self) -> None:
        """Until no call is under way: a store with threads is not done after a few turns of the loop."""
        while self.busy and not self.crashed.is_set():  # noqa: ASYNC110 - what it waits for is on threads too
            await asyncio.sleep(0.0005)

    async def _stop(self) -> None:
        self.crashed.set()
        await asyncio.Event().wait()

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.inner, name)
        return self._counted(member) if inspect.iscoroutinefunction(member) else member

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any) -> Any:
            self.busy += 1
            try:
                return await method(*arguments)
            finally:
                self.busy -= 1

        return call
