"""What stops a world in the middle: a fuse that blows at one of the boundaries that the world passes."""

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn


class Fuse:
    """Blows at the n-th boundary (counted from 1; 0: never). What is done after that is heard of by nobody.

    `passed`: what the boundaries were, in order. `on_blow`: what blows instead of the world, which then goes on. `of`:
    only boundaries of that name are counted; of others there are more where more time passes.
    """

    def __init__(self, at: int = 0, on_blow: Callable[[], None] | None = None, of: str = "") -> None:
        self._left, self._on_blow, self._of = at, on_blow, of
        self.where = "not yet"
        """The boundary at which it blew."""
        self.passed: list[str] = []
        self.blown = asyncio.Event()

    @property
    def off(self) -> bool:
        return self.blown.is_set()

    def holds(self, boundary: str) -> bool:
        """Passes a boundary. False: the world has stopped, there or earlier."""
        if self.off:
            return False
        self.passed.append(boundary)
        if self._of not in ("", boundary):
            return True
        self._left -= 1
        if self._left == 0:
            self.where = boundary
            if self._on_blow is not None:
                self._on_blow()
            else:
                self.blown.set()
        return not self.off

    async def stand(self, boundary: str) -> None:
        """Passes a boundary; does not return from one at which the world stops."""
        if not self.holds(boundary):
            await self.never()

    async def never(self) -> NoReturn:
        """What a caller gets from a world that has stopped."""
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


class Quiet:
    """Counts what is under way, for those that want to wait until nothing is."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> None:
        self._count += 1
        self._idle.clear()

    def __exit__(self, *_: Any) -> None:
        self._count -= 1
        if not self._count:
            self._idle.set()

    @property
    def busy(self) -> bool:
        return self._count > 0

    async def wait(self) -> None:
        await self._idle.wait()
