"""The threads behind `asyncio.to_thread` and `run_in_executor(None, ...)`: what a tool gives to them is its call's.

A thread goes on when whoever awaits it is cancelled; so its call is not over before it is.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from executor_svc.adapters.runners.probes import PythonProbe
from executor_svc.application.run import CURRENT_RUN, Run

P = ParamSpec("P")
T = TypeVar("T")


class _Job:
    """Work for a call. It ends once: when the work has, or when it is taken back before that began."""

    def __init__(self, run: Run, work: Callable[[], Any]) -> None:
        self._run, self._work = run, work
        self._taken = threading.Lock()  # by whoever comes first
        run.job_began()

    def __call__(self) -> Any:
        if not self._taken.acquire(blocking=False):
            return None
        try:
            return self._work()
        finally:
            self._run.job_ended()

    def take_back(self, _: object = None) -> None:
        if self._taken.acquire(blocking=False):
            self._run.job_ended()


class _JobThreads(ThreadPoolExecutor):
    """Up to `size` threads for jobs."""

    def __init__(self, size: int, name: str) -> None:
        super().__init__(size, thread_name_prefix=name)
        self._left = 0

    def lend(self, run: Run, work: Callable[[], T]) -> Future[T]:
        # Whoever meets a job that was left in the queue counts itself as idle once too often.
        while self._left and self._idle_semaphore.acquire(blocking=False):
            self._left -= 1
        job = _Job(run, work)
        try:
            future = super().submit(job)
        except BaseException:  # no thread could be started; it waits all the same, and must not begin later
            self._left += 1
            job.take_back()
            raise
        future.add_done_callback(job.take_back)  # of one that was cancelled while it waited
        return future


class LoopThreads(_JobThreads):
    """A loop's default executor. Tools have `size` threads of it; looks for effects have `looks` others, or those that
    hang would keep tools from running; so has the service itself, or tools that hold all of theirs would keep it from
    ending."""

    def __init__(self, size: int, looks: int) -> None:
        super().__init__(size, "greenlight-job")
        self._looks = _JobThreads(looks, "greenlight-look-job")
        self._own = ThreadPoolExecutor(thread_name_prefix="greenlight")

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        run = CURRENT_RUN.get()
        if run is None:
            return self._own.submit(fn, *args, **kwargs)
        threads = self._looks if isinstance(run.tool, PythonProbe) else self
        return threads.lend(run, partial(fn, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._own.shutdown(wait, cancel_futures=cancel_futures)
        self._looks.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)
