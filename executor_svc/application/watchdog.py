"""A thread that notices when the event loop stands still, and says in the log who holds it, while it lasts."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

from executor_svc.application.pulse import Pulse
from executor_svc.application.run import Run
from executor_svc.application.standstill import Standstill
from shared.kernel.clock import Clock

_log = logging.getLogger(__name__)


class Watchdog:
    """Watches the loop that it is made on, while the pulse beats. It only speaks: see `steps` for who pays.

    Who holds the interpreter's lock as well cannot be seen meanwhile, by nobody.
    """

    def __init__(
        self,
        clock: Clock,
        pulse: Pulse,
        standstill: Standstill,
        identify: Callable[[asyncio.Task[Any]], Run | None],
        *,
        limit: float,
    ) -> None:
        self._clock = clock
        self._pulse = pulse
        self._standstill = standstill
        self._identify = identify
        self._limit = limit
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="greenlight-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Calls run from now on; it sleeps by itself when the pulse stops."""
        if not self._wake.is_set():
            self._standstill.begin()
            self._wake.set()

    def stop(self) -> None:
        """Ends the thread and waits for it."""
        self._stopped.set()
        self._wake.set()
        self._standstill.rouse()
        self._thread.join()

    def _watch(self) -> None:
        while not self._paused(self._limit / 4):
            if not self._pulse.beating:
                self._wake.clear()
                if not self._pulse.beating and not self._stopped.is_set():
                    self._wake.wait()
            elif self._held_for(self._pulse.beat) > self._limit / 2:
                self._look(self._pulse.beat)

    def _paused(self, seconds: float) -> bool:
        """Returns whether to stop."""
        self._standstill.pause(seconds)
        return self._stopped.is_set()

    def _look(self, beat: float) -> None:
        """Speaks once the limit is over, and then at ever longer intervals, until the loop beats again."""
        seen, since = asyncio.current_task(self._loop), self._clock.monotonic()
        pause = self._limit
        speak_at = max(beat + pause, since + pause / 2)
        while self._pulse.beat == beat and not self._paused(self._limit / 8):
            task = asyncio.current_task(self._loop)
            if task is not seen:  # not one that holds it, but many in a row
                return
            if self._clock.monotonic() >= speak_at and self._pulse.beat == beat:
                self._speak(task, beat)
                pause *= 2
                speak_at += pause

    def _speak(self, task: asyncio.Task[Any] | None, beat: float) -> None:
        run = self._identify(task) if task else None
        who = f"tool {run.call.tool} {run.call.version}, call {run.call.id}," if run else f"{task or 'something'}"
        _log.warning("%s has held the event loop for %.1f s, at %s", who, self._held_for(beat), self._place())

    def _held_for(self, beat: float) -> float:
        return self._clock.monotonic() - beat

    def _place(self) -> str:
        frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]  # the only way to see another thread
        frame = frames.get(self._loop_thread)
        return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown place"
