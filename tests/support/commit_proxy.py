"""A TCP proxy before PostgreSQL that breaks a connection around a COMMIT."""

import asyncio
from enum import Enum

from tests.support.proxy import CuttableProxy

_COMMIT = b"COMMIT;"


class Cut(Enum):
    """When the connection breaks: the server never hears of the COMMIT; it does, and its answer is lost; at once.

    HELD: the server never hears of it, nor that anything broke.
    """

    BEFORE = "before"
    ANSWER = "answer"
    BETWEEN = "between"
    HELD = "held"


class CommitProxy(CuttableProxy):
    """`arm`: at the next COMMITs the connection breaks, and with `refuse` no new one is taken. `cuts` so far.

    `held`: set when one is.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self._armed: list[Cut] = []
        self._refuse = False
        self._swallow = False
        self.cuts = 0
        self.held = asyncio.Event()

    def arm(self, cut: Cut, times: int = 1, *, refuse: bool = False) -> None:
        self._armed, self._refuse = [cut] * times, refuse

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        """The two directions of a connection are two calls; the answer that is lost comes by the other one."""
        while data := await reader.read(1 << 16):
            if answers and self._swallow:
                self._swallow = False
                raise ConnectionResetError
            cut = self._armed.pop() if self._armed and not answers and _COMMIT in data else None
            if cut is not None:
                self.refusing = self._refuse
                self.cuts += 1
                if cut is Cut.BEFORE:
                    raise ConnectionResetError
                self._swallow = cut is Cut.ANSWER
                if cut is Cut.HELD:
                    self.held.set()
                    await asyncio.Event().wait()
            writer.write(data)
            await writer.drain()
            if cut is Cut.BETWEEN:
                raise ConnectionResetError
        raise ConnectionResetError
