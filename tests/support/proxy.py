"""A TCP proxy between two real processes or servers, whose connections a test can cut."""

import asyncio
from collections.abc import Callable
from typing import Self

_HEARD = 1 << 16
_UNTIL_SERVED = 8
"""Turns of the loop: more than it takes from accepting a connection to its handler."""


async def closed(server: asyncio.Server) -> None:
    """Whoever was accepted just before is served by then, and can be cut off as the others."""
    server.close()
    for _ in range(_UNTIL_SERVED):
        await asyncio.sleep(0)


class CuttableProxy:
    """Listens on a free port and forwards to `upstream` (HOST:PORT, or what says it for each connection; '': nobody).

    While `refusing`, new connections end at once; while `swallowing`, what comes back is lost, the end of it too.
    `connections`: so far. `heard`: what came in for `upstream`, `answered`: what came back, the end of each.
    """

    def __init__(self, upstream: str | Callable[[], str]) -> None:
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.address = ""
        self.refusing = False
        self.swallowing = False
        self.connections = 0
        self.heard = b""
        self.answered = b""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        await closed(self._server)
        await self.cut()
        await asyncio.sleep(0)

    async def cut(self) -> None:
        """Breaks every connection that there is."""
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def until_answered(self, text: str) -> None:
        while text.encode() not in self.answered:  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        upstream: asyncio.StreamWriter | None = None
        try:
            address = self._upstream if isinstance(self._upstream, str) else self._upstream()
            if address and not self.refusing:
                host, _, port = address.rpartition(":")
                upstream_reader, upstream = await asyncio.open_connection(host, int(port))
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._copy(reader, upstream, answers=False))
                    tasks.create_task(self._copy(upstream_reader, writer, answers=True))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            for end in (writer, upstream):
                if end is not None:
                    end.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(1 << 16):
            if answers and self.swallowing:
                continue
            if answers:
                self.answered = (self.answered + data)[-_HEARD:]
            else:
                self.heard = (self.heard + data)[-_HEARD:]
            writer.write(data)
            await writer.drain()
        if answers and self.swallowing:
            await asyncio.Event().wait()
        raise ConnectionResetError
