"""A service of a run: one process at a time, on a port that it keeps; its supervisor starts it anew where it ends by
itself."""

import asyncio
import json
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.bench.processes import Process, ProcessError, running

SUPERVISION = 0.1
TRIES = 100


class Service:
    """`starts` counts its processes; `endings`: what those that ended by themselves said last."""

    def __init__(self, name: str, port: int, command: Sequence[str], folder: Path, env: dict[str, str]) -> None:
        self.name, self.address = name, f"127.0.0.1:{port}"
        self.starts = 0
        self.endings: list[str] = []
        self._command, self._folder, self._env = command, folder, env
        self._processes = ExitStack()
        self._process: Process
        self._turn = asyncio.Lock()
        self._supervisor: asyncio.Task[None]

    @property
    def serving(self) -> bool:
        """Whether it lives and has said that it is ready, not that it stands by."""
        alive = self._process.popen.poll() is None
        return alive and any(_event(line) == "ready" for line in self._process.out.read_text().splitlines())

    async def start(self) -> None:
        """Returns when it serves, or stands by."""
        async with self._turn:
            await self._start()

    async def kill(self) -> None:
        async with self._turn:
            self._killed = True
            self._process.popen.kill()
            await asyncio.to_thread(self._process.popen.wait)

    def stop(self) -> None:
        self._process.popen.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.popen.send_signal(signal.SIGCONT)

    async def __aenter__(self) -> Self:
        await self.start()
        self._supervisor = asyncio.create_task(self._supervise(), name=f"supervises {self.name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._supervisor.cancel()
        await asyncio.wait([self._supervisor])
        await asyncio.to_thread(self._processes.close)

    async def _start(self) -> None:
        """One that ends instead is started again, as a supervisor does: its database may be away."""
        self._killed = False
        self._begin()
        for _ in range(TRIES):
            try:
                line = await asyncio.to_thread(self._process.first_line)
            except ProcessError as error:
                if self._process.popen.poll() is not None:  # else the machine is busy, and it comes later
                    self.endings.append(str(error))
                    await asyncio.sleep(SUPERVISION)
                    self._begin()
            else:
                assert _event(line) in ("ready", "standby"), line
                return
        raise AssertionError(f"{self.name} does not start: {self.endings}")

    def _begin(self) -> None:
        self.starts += 1
        name = f"{self.name}-{self.starts}"
        self._process = self._processes.enter_context(running(name, self._command, self._folder / name, self._env))

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(SUPERVISION)
            async with self._turn:
                if not self._killed and self._process.popen.poll() is not None:
                    self.endings.append(self._process.tail())
                    await self._start()

    def complaints(self, excused: Sequence[str]) -> list[str]:
        """Processes that ended by themselves without one of these errors, or spoke of another one as only its makers
        understand."""
        ended = [f"{self.name} ended by itself: {said}" for said in self.endings if not _any_of(excused, said)]
        said = sorted(self._folder.glob(f"{self.name}-*/*.err"))
        return ended + [f"{path}: a traceback" for path in said if _untold(path.read_text(errors="replace"), excused)]


def _any_of(words: Sequence[str], text: str) -> bool:
    return any(word in text for word in words)


def _untold(text: str, excused: Sequence[str]) -> bool:
    return any(not _any_of(excused, part) for part in text.split("Traceback (most recent call last)")[1:])


def _event(line: str) -> str:
    return json.loads(line).get("event", "")
