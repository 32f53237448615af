"""Open streams: one way to write them all.

A stream holds no queue: the next frame is read when the last one is written, so one that nobody reads stands still
alone. Handlers are coroutines that write, never generators: gRPC does not close those.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, cast

from grpc.aio import ServicerContext

from greenlight.orchestrator.v1 import batch_pb2
from orchestrator_svc.api import frames
from orchestrator_svc.application.watch import Ended, Item

Summarize = Callable[[Ended, int], Awaitable[batch_pb2.Summary | None]]
"""The second: bytes that the summary's message holds beside it. None: the stream goes on."""


class Stream:
    """One streaming call, as its handler sees it."""

    def __init__(self, context: ServicerContext[Any, Any]) -> None:
        self._context = context

    async def begin(self) -> None:
        """Sends the header, so that the client knows that it is heard."""
        await self._context.send_initial_metadata(())

    async def write(self, message: bytes) -> None:
        """Waits while the client has too much unread."""
        await self._context.write(message)

    async def batch(self, items: AsyncIterator[Item], summarize: Summarize, sequence: int = 0) -> None:
        """Events of one batch after `sequence`, then its Summary."""
        async with _closing(items) as each:
            async for item in each:
                if isinstance(item, Ended):
                    summary = await summarize(item, 0)
                    item.more = summary is None
                    if summary is not None:
                        await self.write(frames.last_frame(summary, sequence))
                else:
                    sequence = item.sequence
                    await self.write(frames.batch_frame(item))

    async def session(self, items: AsyncIterator[Item], summarize: Summarize, token: str = "") -> None:
        """Events of several batches after `token`, then their Summary."""
        async with _closing(items) as each:
            async for item in each:
                if isinstance(item, Ended):
                    summary = await summarize(item, len(token))
                    item.more = summary is None
                    if summary is not None:
                        await self.write(frames.last_frame(summary, token=token))
                else:
                    token = item.token
                    await self.write(frames.session_frame(item))


def _closing(items: AsyncIterator[Item]) -> AbstractAsyncContextManager[AsyncIterator[Item]]:
    """The use cases' iterators are generators: a client that goes away ends them at once."""
    return aclosing(cast(AsyncGenerator[Item, None], items))
