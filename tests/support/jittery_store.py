"""A store between whose statements others get their turns, as those of a database do."""

import asyncio
import inspect
import random
from typing import Any, cast

from tests.support.stores import WholeStore

MOST = 6


class JitteryStore:
    """Each of its methods takes a few turns of the loop to get there, and a few to come back; drawn from `seed`."""

    def __init__(self, inner: WholeStore, seed: int) -> None:
        self._inner, self._random = inner, random.Random(seed)

    @property
    def port(self) -> WholeStore:
        return cast(WholeStore, self)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def later(*arguments: Any) -> Any:
            await self._turns()
            answer = await found(*arguments)
            await self._turns()
            return answer

        return later

    async def _turns(self) -> None:
        for _ in range(self._random.randrange(MOST)):
            await asyncio.sleep(0)
