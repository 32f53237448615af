"""A store in which something happens in between: once, before the next call of one of its methods."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from tests.support.stores import WholeStore


class InterruptedStore:
    """`before`: what happens, by the method's name."""

    def __init__(self) -> None:
        self._inner = MemoryStore(ProtobufEventCodec())
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}

    @property
    def whole(self) -> WholeStore:
        return cast(WholeStore, self)

    def __getattr__(self, name: str) -> Any:
        return self._interrupted(name) if name in self.before else getattr(self._inner, name)

    def _interrupted(self, name: str) -> Any:
        async def call(*arguments: Any) -> Any:
            await self.before.pop(name)()
            return await getattr(self._inner, name)(*arguments)

        return call
