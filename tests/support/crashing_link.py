"""A link to the executors whose world stops before or after one of its messages, either way."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, cast, get_args

from orchestrator_svc.ports.executor import (
    Ask,
    Call,
    Cancel,
    CapacityChanged,
    Connected,
    Executors,
    Lost,
    Signal,
    Target,
)
from tests.support.fuse import Fuse

OF_THE_STREAM = (CapacityChanged, Connected, Lost)
"""What nobody has sent."""
MESSAGES = tuple(kind for kind in get_args(Signal) if kind not in OF_THE_STREAM)


class CrashingLink:
    """What is sent after the world stopped goes nowhere; what comes in is given to the engine one by one.

    Calls that were to be sent then are `unsent`: their frames may be under way all the same.
    """

    def __init__(self, inner: Executors, fuse: Fuse, unsent: list[Call]) -> None:
        self.inner, self.fuse, self._unsent = inner, fuse, unsent
        self._waiting: deque[Signal] = deque()
        self._given = ""

    @property
    def port(self) -> Executors:
        return cast(Executors, self)

    def send(self, target: Target, calls: Sequence[Call]) -> bool:
        sent = True
        if self.fuse.holds(f"before dispatch {_keys(calls)}"):
            sent = self.inner.send(target, calls)
            self.fuse.holds(f"after dispatch {_keys(calls)}")
        else:
            self._unsent += calls
        return sent

    def cancel(self, target: Target, cancels: Sequence[Cancel]) -> None:
        if cancels and self.fuse.holds("before cancel"):
            self.inner.cancel(target, cancels)
            self.fuse.holds("after cancel")

    def acknowledge(self, target: Target, call_ids: Sequence[str]) -> None:
        if self.fuse.holds("before acknowledge"):
            self.inner.acknowledge(target, call_ids)
            self.fuse.holds("after acknowledge")

    def attach(self, target: Target, asks: Sequence[Ask]) -> bool:
        attached = True
        if self.fuse.holds("before attach"):
            attached = self.inner.attach(target, asks)
            self.fuse.holds("after attach")
        return attached

    def probe(self, call: Call, sent_to: Target, position: int, but: Target | None = None) -> Target | None:
        target = None
        if self.fuse.holds(f"before probe {_keys([call])}"):
            target = self.inner.probe(call, sent_to, position, but)
            self.fuse.holds(f"after probe {_keys([call])}")
        return target

    def use_tools(self, target: Target, usable: Sequence[Any], conflicting: Sequence[Any]) -> None:
        if not self.fuse.off:
            self.inner.use_tools(target, usable, conflicting)

    async def signals(self) -> list[Signal]:
        """The engine has had its step with the one before when it asks for the next, but not recorded it."""
        if self._given:
            await _turns(3)
            given, self._given = self._given, ""
            await self.fuse.stand(f"after {given}")
        if not self._waiting:
            self._waiting.extend(await self.inner.signals())
        signal = self._waiting.popleft()
        if isinstance(signal, MESSAGES):
            self._given = f"{type(signal).__name__} {getattr(signal, 'call_id', '').partition('/')[2]}"
            await self.fuse.stand(f"before {self._given}")
        elif self.fuse.off:
            await self.fuse.never()
        return [signal]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def _keys(calls: Sequence[Call]) -> str:
    return " ".join(call.id.partition("/")[2] for call in calls)


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
