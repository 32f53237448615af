"""Threads for tools that are plain functions: daemons, so that one that never stops does not keep the process alive."""

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable


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

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0
        self._finished: deque[Job] = deque()
        self._delivery_due = False
        self._loop = asyncio.get_running_loop()

    @property
    def size(self) -> int:
        return self._size

    async def run(self, work: Callable[[], bytes]) -> bytes:
        """Runs `work` on a thread, in this task's context. Cancelled before it began, it never will; after that,
        this returns or raises when the thread has ended."""
        job = Job(work, self._loop.create_future())
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False) and self._threads < self._size:
            self._threads += 1
            threading.Thread(target=self._serve, name=f"greenlight-tool-{self._threads}", daemon=True).start()
        try:
            await job.future
        except asyncio.CancelledError:
            if job.claim("withdrawn"):
                raise
            # It runs, and nothing can stop it. The future that was awaited is cancelled: wait on another.
            job.future = self._loop.create_future()
            if not job.done:
                await job.future
        if job.error is not None:
            raise job.error
        return job.result

    def close(self) -> None:
        """Lets idle threads end; waits for none."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.claim("running"):
                job.run()
                self._finished.append(job)
                self._announce()
            del job  # or it and its result would live until the next one comes
            self._idle.release()

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
