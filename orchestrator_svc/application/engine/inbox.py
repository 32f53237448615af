"""What callers want done to batches, until a step gets to it."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from orchestrator_svc.application.engine.concluding import Caller
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes

T = TypeVar("T")
Operation = Callable[[Batch, Changes], T]


@dataclass(slots=True, eq=False)
class Command:
    """`received`: monotonic s."""

    batch: Batch
    operation: Operation[Any]
    caller: Caller
    received: float


class Inbox:
    """Commands in the order in which they came."""

    def __init__(self) -> None:
        self._commands: deque[Command] = deque()
        self._emptied = asyncio.Event()

    def put(self, batch: Batch, operation: Operation[T], received: float) -> asyncio.Future[T]:
        """What comes of it is the future's."""
        caller = Caller()
        self._commands.append(Command(batch, operation, caller, received))
        return caller.future

    def take(self) -> Iterator[Command]:
        """All of them. Who waits for that is told when the last one has been dealt with."""
        while self._commands:
            yield self._commands.popleft()
        self._emptied.set()
        self._emptied.clear()

    async def empty(self) -> None:
        """Until those that are there now are carried out: their batches stand as they leave them, though what they
        changed is not on record yet."""
        if self._commands:
            await self._emptied.wait()
