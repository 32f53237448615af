"""A thread that notices when the event loop stands still, and says in the log who holds it, while it lasts; and who has
held the interpreter's lock, afterwards."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

from executor_svc.application.lock_holder import holder, spent_by_threads
from executor_svc.application.pulse import Pulse
from executor_svc.application.run import Run
from executor_svc.application.standstill import Standstill
from shared.kernel.clock import Clock

_log = logging.getLogger(__name__)


class Watchdog:
    """Watches the loop that it is made on, while the pulse beats. It only speaks: see `steps` for who pays.

    Who holds the interpreter's lock cannot be seen meanwhile, by nobody.
    """

    def __init__(
        self,
        clock: Clock,
        pulse: Pulse,
        standstill: Standstill,
        runs: Callable[[], list[Run]],
        *,
        limit: float,
        spent: Callable[[], dict[threading.Thread, float]] = spent_by_threads,
    ) -> None:
        self._clock = clock
        self._pulse = pulse
        self._standstill = standstill
        self._runs = runs
        self._limit = limit
        self._spent = spent
        self._named = ""
        self._locked_by_others = 0.0
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
        locked, spent = self._standstill.locked, self._spent()
        self._standstill.pause(seconds)
        if (held := self._standstill.locked - locked) > 0:
            self._name(holder(spent, self._spent(), held), held)
        return self._stopped.is_set()

    def _name(self, thread: threading.Thread | None, held: float) -> None:
        """Of another thread than the loop's: that one's calls fail for it."""
        if thread is None or thread.ident in (None, self._loop_thread):
            return
        self._locked_by_others += held
        there = (run for run in self._runs() if run.thread == thread.ident)  # the loop may not know yet who has ended
        run = max(there, key=lambda run: run.start, default=None)
        who = _call(run) if run else f"thread {thread.name}, now at {self._place(thread.ident)},"
        if held > self._limit and who != self._named:  # once, of one that does it over and over
            self._named = who
            _log.warning("%s has held the interpreter's lock for %.1f s, in which nothing else ran", who, held)

    def _look(self, beat: float) -> None:
        """Speaks once the limit is over, and then at ever longer intervals, until the loop beats again."""
        seen, since = asyncio.current_task(self._loop), self._clock.monotonic()
        others = self._locked_by_others
        pause = self._limit
        speak_at = max(beat + pause, since + pause / 2)
        while self._pulse.beat == beat and not self._paused(self._limit / 8):
            task = asyncio.current_task(self._loop)
            if task is not seen:  # not one that holds it, but many in a row
                return
            own = self._clock.monotonic() - (self._locked_by_others - others)
            if own >= speak_at and self._pulse.beat == beat:
                self._speak(task, beat)
                pause *= 2
                speak_at += pause

    def _speak(self, task: asyncio.Task[Any] | None, beat: float) -> None:
        run = self._run_of(task) if task else None
        who, place = _call(run) if run else f"{task or 'something'}", self._place(self._loop_thread)
        _log.warning("%s has held the event loop for %.1f s, at %s", who, self._held_for(beat), place)

    def _run_of(self, task: asyncio.Task[Any]) -> Run | None:
        run = getattr(task, "run", None)
        return run if isinstance(run, Run) else next((run for run in self._runs() if run.task is task), None)

    def _held_for(self, beat: float) -> float:
        return self._clock.monotonic() - beat

    def _place(self, thread: int) -> str:
        frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]  # the only way to see another thread
        frame = frames.get(thread)
        return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown place"


def _call(run: Run) -> str:
    return f"tool {run.call.tool} {run.call.version}, call {run.call.id},"
