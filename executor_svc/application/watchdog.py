"""A thread that notices when the event loop stands still, and names the call that holds it while it lasts."""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from executor_svc.application.pulse import Pulse
from executor_svc.application.run import Run
from shared.kernel.clock import Clock

_log = logging.getLogger(__name__)


class Watchdog:
    """Watches one loop. `culprit` is the run found to hold it; whoever deals with it sets it back to None.

    A call holds the loop if it is seen in the same step of the same task over `limit` seconds. One that also holds the
    interpreter's lock cannot be seen meanwhile: then it is the call that runs when the watchdog wakes up too late,
    provided that the loop's own thread used the processor for that long.
    """

    def __init__(
        self, clock: Clock, pulse: Pulse, identify: Callable[[asyncio.Task[Any]], Run | None], *, limit: float
    ) -> None:
        self.culprit: Run | None = None
        self._clock = clock
        self._pulse = pulse
        self._identify = identify
        self._limit = limit
        self._wake = threading.Event()
        self._stop = False
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="greenlight-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Calls run from now on; it sleeps by itself when the pulse stops."""
        if not self._wake.is_set():
            self._wake.set()

    def stop(self) -> None:
        """Ends the thread and waits for it."""
        self._stop = True
        self._wake.set()
        self._thread.join()

    def _watch(self) -> None:
        period = self._limit / 4
        while not self._stop:
            if not self._pulse.beating:
                self._wake.clear()
                if not self._pulse.beating and not self._stop:
                    self._wake.wait()
                continue
            before, used = self._clock.monotonic(), self._processor_time()
            time.sleep(period)
            overslept = self._clock.monotonic() - before - period
            held = overslept >= self._limit and self._processor_time() - used >= self._limit / 2
            self._look(held)

    def _look(self, held: bool) -> None:
        beat = self._pulse.beat
        blocked = self._clock.monotonic() - beat
        if blocked < self._limit / 2 and not held:
            return
        first = asyncio.current_task(self._loop)
        if first is None or not self._pulse.beating:
            return
        if not held and not self._stays(first, beat):
            return
        self._blame(first, beat)

    def _stays(self, task: asyncio.Task[Any], beat: float) -> bool:
        """Whether the loop stays in this task, without a beat, until the limit is over."""
        while True:
            left = self._limit - (self._clock.monotonic() - beat)
            if asyncio.current_task(self._loop) is not task or self._pulse.beat != beat:
                return False
            if left <= 0:
                return True
            time.sleep(min(left, self._limit / 8))

    def _blame(self, task: asyncio.Task[Any], beat: float) -> None:
        run = self._identify(task)
        who = f"tool {run.call.tool} {run.call.version}, call {run.call.id}," if run else f"task {task.get_name()}"
        self.culprit = run
        pause = self._limit
        while True:
            held = self._clock.monotonic() - beat
            _log.warning("%s has held the event loop for %.1f s, at %s", who, held, self._place())
            end = self._clock.monotonic() + pause
            while self._clock.monotonic() < end:
                if self._pulse.beat != beat or self._stop:
                    return
                time.sleep(self._limit / 8)
            pause *= 2

    def _place(self) -> str:
        frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]  # the only way to see another thread
        frame = frames.get(self._loop_thread)
        return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown place"

    def _processor_time(self) -> float:
        """What the loop's thread has used of the processor; 0 where the system cannot tell."""
        try:
            return time.clock_gettime(time.pthread_getcpuclockid(self._loop_thread))
        except (AttributeError, OSError):
            return 0.0
