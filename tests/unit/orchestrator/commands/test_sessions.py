"""What sessions say to batches."""

import asyncio
from typing import Any, cast

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.application.sessions import SessionContexts
from orchestrator_svc.ports.store import Session, Store


class Late:
    """A store whose answers arrive when they are let go."""

    def __init__(self) -> None:
        self.inner, self.asked, self.answer = MemoryStore(ProtobufEventCodec()), asyncio.Event(), asyncio.Event()

    async def get_session(self, *which: Any) -> Any:
        found = await self.inner.get_session(*which)
        self.asked.set()
        await self.answer.wait()
        return found


async def test_a_context_that_was_read_before_an_update_is_not_kept() -> None:
    store = Late()
    await store.inner.create_session(Session("s", "t", "", "old", {}, 1, 1, 1))
    contexts = SessionContexts(cast(Store, store), shared=False)
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(contexts.get("t", "s"))
        await store.asked.wait()
        contexts.put("t", "s", "new")
        store.answer.set()
    assert await contexts.get("t", "s") == "new"
    assert reading.result() == "new"
