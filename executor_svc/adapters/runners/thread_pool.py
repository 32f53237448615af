"""Threads for tools that are plain functions: daemons, so that one that never stops does not keep the process alive."""

import asyncio
import contextlib
import contextvars
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from executor_svc.domain.outcome import FailureClass, ToolFailure, refusal

_log = logging.getLogger(__name__)
_RETRY_AFTER = 1.0


class Job:
    """One piece of work. `result` or `error` is there once `done`; the future only wakes who waits."""

    __slots__ = ("_lock", "_state", "context", "done", "error", "future", "result", "work")

    def __init__(self, work: Callable[[], bytes], future: asyncio.Future[None]) -> None:
        self.work = work
        self.future = future
        self.context = contextvars.copy_context()
        self.done = False
        self.result = b""
        self.error: BaseException | None = None
        self._lock = threading.Lock()
        self._state = "waiting"

    def run(self) -> None:
        try:
            self.result = self.context.run(self.work)
        except BaseException as error:
            self.error = error
        self.done = True

    def claim(self, state: str) -> bool:
        """The first to claim it, a thread that starts it or whoever withdraws it, gets True."""
        with self._lock:
            if self._state != "waiting":
                return False
            self._state = state
            return True


class ThreadPool:
    """Up to `size` threads, started when needed. Results come back to the loop in bunches."""

    def __init__(self, size: int, name: str = "greenlight-tool") -> None:
        self._size = size
        self._name = name
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads = 0
        self._open = 0
        self._short = False
        self._finished: deque[Job] = deque()
        self._delivery_due = False
        self._loop = asyncio.get_running_loop()

    @property
    def size(self) -> int:
        return self._size

    async def run(self, work: Callable[[], bytes]) -> bytes:
        """Runs `work` on a thread, in this task's context. Cancelled before it began, it never will; after that,
        this returns or raises when the thread has ended.

        Raises ToolFailure (NOT_STARTED) where there is no thread, and none can be started: then it never will.
        """
        if self._open >= self._threads:
            self._add_thread()  # before the job waits for one: from then on it may begin
        job = Job(work, self._loop.create_future())
        self._jobs.put(job)
        self._open += 1
        try:
            await job.future
        except asyncio.CancelledError:
            if job.claim("withdrawn"):
                raise
            # It runs, and nothing can stop it. The future that was awaited is cancelled: wait on another.
            job.future = self._loop.create_future()
            if not job.done:
                await job.future
        finally:
            self._open -= 1
        if job.error is not None:
            raise job.error
        return job.result

    def close(self) -> None:
        """Lets idle threads end; waits for none."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _add_thread(self) -> None:
        """If there may be one more, and one can be had: else what comes waits for those that there are."""
        if self._threads == self._size:
            return
        try:
            threading.Thread(target=self._serve, name=f"{self._name}-{self._threads + 1}", daemon=True).start()
        except Exception as error:  # the process may have no more of them, or no more memory
            if not self._short:
                self._short = True
                _log.warning("no thread can be started beside the %d of %s: %s", self._threads, self._name, error)
            if not self._threads:
                text = f"no thread could be started for it: {error}"
                raise ToolFailure(
                    refusal(FailureClass.UNAVAILABLE, "NOT_STARTED", text, retry_after=_RETRY_AFTER)
                ) from error
        else:
            self._threads += 1
            self._short = False

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.claim("running"):
                job.run()
                self._finished.append(job)
                self._announce()
            del job  # or it and its result would live until the next one comes

    def _announce(self) -> None:
        if not self._delivery_due:
            self._delivery_due = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._delivery_due = False
        while self._finished:
            job = self._finished.popleft()
            if not job.future.done():
                job.future.set_result(None)


class Threads(NamedTuple):
    """Those of plain functions. Looks have their own: one that hangs takes none from the tools."""

    tools: ThreadPool
    looks: ThreadPool

    @property
    def looks_of_a_tool(self) -> int:
        """How many of the looks' one tool may take: those of others go on while all of its own hang."""
        return max(1, self.looks.size // 2)

    def close(self) -> None:
        self.tools.close()
        self.looks.close()
