"""A TCP proxy whose connections can be left half open: what a sender wrote comes late, when it is gone itself."""

import asyncio
from dataclasses import dataclass
from typing import Self

from tests.support.proxy import closed


@dataclass(slots=True, eq=False)
class _Line:
    """A connection. `held`: what was kept back of it; `said`: what came back for a sender that is gone."""

    sender: asyncio.StreamWriter
    upstream: asyncio.StreamWriter
    held: bytes = b""
    said: bytes = b""


class HalfOpenProxy:
    """Listens on a free port and forwards to `upstream` (HOST:PORT). While `holding`, what comes in is kept back.

    `part` ends such connections towards their senders, who may also end them; towards `upstream` they stay open, until
    `release` sends on what was kept back, and longer.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: list[_Line] = []
        self.address = ""
        self.holding = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        await closed(self._server)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.sleep(0)

    async def until_held(self, text: str) -> None:
        while not any(text.encode() in line.held for line in self._lines):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.001)

    def part(self) -> None:
        self.holding = False
        for line in self._lines:
            if line.held:
                line.sender.transport.abort()

    async def release(self, until: str) -> None:
        """Returns when that came back."""
        (line,) = [line for line in self._lines if line.held]
        line.upstream.write(line.held)
        while until.encode() not in line.said:  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, sender: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        host, _, port = self._upstream.rpartition(":")
        answers, upstream = await asyncio.open_connection(host, int(port))
        line = _Line(sender, upstream)
        self._lines.append(line)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._forth(reader, line))
                tasks.create_task(self._back(answers, line))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for end in (sender, upstream):
                end.transport.abort()

    async def _forth(self, reader: asyncio.StreamReader, line: _Line) -> None:
        try:
            while data := await reader.read(1 << 16):
                if self.holding:
                    line.held += data
                else:
                    line.upstream.write(data)
        finally:
            line.sender.close()
            if not line.held:
                line.upstream.close()

    async def _back(self, answers: asyncio.StreamReader, line: _Line) -> None:
        while data := await answers.read(1 << 16):
            if line.sender.is_closing():
                line.said += data
            else:
                line.sender.write(data)
        line.sender.close()
