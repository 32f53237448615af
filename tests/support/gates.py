"""Lets a test hold a tool, and see what it does: both are in one process."""

import asyncio
import threading
from collections import defaultdict


class Gates:
    """Events by name, for tools on threads and on the loop."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._gates: dict[str, threading.Event] = defaultdict(threading.Event)
        self._waiting: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(list)
        self.runs: list[str] = []
        self.holding = False

    def open(self, name: str) -> None:
        """From any thread."""
        self._gates[name].set()
        for loop, reached in self._waiting.pop(name, []):
            if not loop.is_closed():
                loop.call_soon_threadsafe(reached.set)

    def wait(self, name: str) -> None:
        """On a thread; gives up after a while, so that a failing test leaves no thread behind."""
        self._gates[name].wait(20)

    async def reached(self, name: str) -> None:
        """On the loop."""
        reached = asyncio.Event()
        self._waiting[name].append((asyncio.get_running_loop(), reached))
        if not self._gates[name].is_set():
            await reached.wait()


GATES = Gates()
