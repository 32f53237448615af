"""PostgreSQL as one of the processes of a run: all of its processes are killed, or stopped, at once."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.postgresql import PostgresServer


class Database:
    """As `Service` is used by faults. Nothing of it ends by itself."""

    name = "postgresql"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.address = f"127.0.0.1:{server.port}"

    def url(self, address: str) -> str:
        return self._server.url(port=int(address.rpartition(":")[2]))

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)

    async def kill(self) -> None:
        pids = self._stopped()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        # Until init has reaped them: before that the lock file is taken to be of one that lives.
        while any((Path("/proc") / str(pid)).exists() for pid in pids):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.01)

    def stop(self) -> None:
        self._stopped()

    def go_on(self) -> None:
        for pid in reversed(self._pids()):
            os.kill(pid, signal.SIGCONT)

    def complaints(self, _: Sequence[str]) -> list[str]:
        return []

    def _stopped(self) -> list[int]:
        """All of its processes: first the one that starts the others, so that none is left out."""
        os.kill(self._server.pid(), signal.SIGSTOP)
        pids = self._pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return pids

    def _pids(self) -> list[int]:
        """Those that end meanwhile are there until the first one, which has to notice that, goes on."""
        postmaster = self._server.pid()
        return [postmaster, *_children(postmaster)]


def _children(of: int) -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _parent(folder) == of:
            yield int(folder.name)


def _parent(folder: Path) -> int:
    """0: it is gone by now."""
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
