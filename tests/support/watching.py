"""Waiting for signals of the executors port: by kind, in order, nothing lost."""

from typing import Any, TypeVar

from orchestrator_svc.ports.executor import Connected, Executors, Signal, Target, ToolsSeen

S = TypeVar("S")


class Watcher:
    """Reads all signals of `executors`, and keeps those that were not asked for."""

    def __init__(self, executors: Executors) -> None:
        self._executors = executors
        self._waiting: list[Signal] = []

    async def next(self, kind: type[S], **fields: Any) -> S:
        """The first unread signal of a kind, with these fields. Those before it stay unread."""
        while True:
            for position, signal in enumerate(self._waiting):
                if isinstance(signal, kind) and all(getattr(signal, name) == value for name, value in fields.items()):
                    del self._waiting[position]
                    return signal
            self._waiting += await self._executors.signals()

    async def several(self, kind: type[S], count: int) -> list[S]:
        return [await self.next(kind) for _ in range(count)]

    async def connected(self, *, use: bool = True) -> Target:
        """The next connection, with all tools that it describes confirmed."""
        target = (await self.next(Connected)).target
        seen = await self.next(ToolsSeen, target=target)
        if use:
            self._executors.use_tools(target, [descriptor.key for descriptor in seen.descriptors], [])
        return target

    def unread(self, kind: type[S]) -> list[S]:
        """Of what has been read so far."""
        return [signal for signal in self._waiting if isinstance(signal, kind)]
