"""A service as a child process: its ready line, its log lines, its orderly end. Nothing of it stays behind.

It inherits one end of a pipe whose other end only this process holds: should this one be killed, it drains by itself.
"""

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

_LINES_KEPT = 20
_READY_WITHIN = 30.0
_LONGEST_LINE = 65_536

OnLine = Callable[[str, str], None]


class ServiceError(Exception):
    """A service did not start, or ended by itself. `lines` are the last that it wrote to stderr.

    `refused`: it would not start with what it was given (address, toolbox, folder), and said so in its last line.
    """

    def __init__(self, name: str, message: str, lines: Sequence[str], *, refused: bool = False) -> None:
        super().__init__(f"the {name} {message}")
        self.name = name
        self.lines = list(lines)
        self.refused = refused


class Child(asyncio.SubprocessProtocol):
    """Cuts both outputs into lines: the first JSON object on stdout that says `ready` is the ready line."""

    def __init__(self, name: str, on_line: OnLine, lifeline: int) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.ready: asyncio.Future[dict[str, Any]] = loop.create_future()
        self.exited: asyncio.Future[int] = loop.create_future()
        self.lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._on_line = on_line
        self._transport: asyncio.SubprocessTransport | None = None
        self._lifeline = lifeline
        self._rest = {1: b"", 2: b""}

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        on_line: OnLine,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """In a session of its own: a Ctrl-C of the terminal reaches it only through `stop`. No `environment`: ours."""
        loop = asyncio.get_running_loop()
        theirs, ours = os.pipe()
        try:
            _, child = await loop.subprocess_exec(
                lambda: cls(name, on_line, ours),
                *command,
                f"--parent-pipe={theirs}",
                stdin=asyncio.subprocess.DEVNULL,
                cwd=folder,
                env=environment,
                start_new_session=True,
                pass_fds=(theirs,),
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return child

    @property
    def pid(self) -> int:
        assert self._transport is not None
        return self._transport.get_pid() or 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        *lines, rest = (self._rest[fd] + cast(bytes, data)).split(b"\n")
        self._rest[fd] = rest[:_LONGEST_LINE]
        for line in lines:
            self._line(fd, line.decode("utf-8", "replace"))

    def process_exited(self) -> None:
        assert self._transport is not None
        if not self.exited.done():
            os.close(self._lifeline)
            self.exited.set_result(self._transport.get_returncode() or 0)

    async def wait_ready(self) -> dict[str, Any]:
        """The ready line. Raises ServiceError where the service ends first, or takes too long."""
        try:
            async with asyncio.timeout(_READY_WITHIN):
                await asyncio.wait([self.ready, self.exited], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise ServiceError(self.name, f"was not ready within {_READY_WITHIN:.0f} s", self.lines) from None
        if self.ready.done():
            return self.ready.result()
        raise await self.death()

    async def death(self) -> ServiceError:
        """Why it ended, once its last lines are in."""
        code = await asyncio.shield(self.exited)
        await asyncio.sleep(0.05)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        last = self.lines[-1] if self.lines else ""
        refused = not self.ready.done() and last.startswith((f"{self.name}: ", f"python -m {self.name}_svc: error: "))
        return ServiceError(self.name, how, self.lines, refused=refused)

    async def stop(self, grace: float) -> None:
        """Drains it: SIGTERM, `grace` seconds, then SIGKILL. Cancelled meanwhile (a second Ctrl-C), it is killed."""
        if self.exited.done() or self._transport is None:
            return
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await asyncio.shield(self.exited)
        except (TimeoutError, asyncio.CancelledError) as error:
            self._signal(signal.SIGKILL)
            await asyncio.shield(self.exited)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._transport.close()

    def _signal(self, number: signal.Signals) -> None:
        assert self._transport is not None
        if not self.exited.done():
            self._transport.send_signal(number)

    def _line(self, fd: int, line: str) -> None:
        if fd == 1 and not self.ready.done():
            try:
                said = json.loads(line)
            except ValueError:
                said = None
            if isinstance(said, dict) and cast(dict[str, Any], said).get("event") == "ready":
                self.ready.set_result(cast(dict[str, Any], said))
                return
        if line:
            self.lines.append(line)
            self._on_line(self.name, line)


def python(module: str, *arguments: str) -> list[str]:
    """The same interpreter, with the current folder first on its path."""
    return [sys.executable, "-m", module, *arguments]
