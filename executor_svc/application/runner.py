"""Runs calls: one task each, looked after by one tick; settles each once, and frees its slot when it really ends."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from executor_svc.application import failures
from executor_svc.application.journal_writer import Accept, End, JournalWriter
from executor_svc.application.ledger import Ledger
from executor_svc.application.lock_wait import LockWait
from executor_svc.application.pulse import Pace, Pulse
from executor_svc.application.registry import Hosted
from executor_svc.application.run import CURRENT_RUN, Means, Run, Stop
from executor_svc.application.standstill import Standstill
from executor_svc.application.steps import timed
from executor_svc.application.streams import Stream, Streams
from executor_svc.application.telling import log_raised, log_stuck, tell_chunks, tell_progress
from executor_svc.application.watchdog import Watchdog
from executor_svc.domain.call import Call
from executor_svc.domain.journalled import Entry, Standing, repeated
from executor_svc.domain.outcome import Failure, FailureClass, KnownEffect, Outcome, refusal, refused
from executor_svc.ports.journal import Acceptance
from executor_svc.ports.observer import CallObserver
from shared.kernel.clock import Clock
from shared.kernel.errors import UnavailableError

_PROGRESS_INTERVAL = 0.1


class Runner:
    """`running` are the calls whose outcome has not gone out; `stuck` have one, but do not stop and keep their slot."""

    def __init__(
        self,
        clock: Clock,
        streams: Streams,
        ledger: Ledger,
        journal: JournalWriter,
        boot_id: str,
        pace: Pace,
        observer: CallObserver | None,
    ) -> None:
        self.running: dict[str, Run] = {}
        self.stuck: set[Run] = set()
        self._clock = clock
        self._streams = streams
        self._ledger = ledger
        self._journal = journal
        self._boot_id = boot_id
        self._pace = pace
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        standstill = Standstill(clock, pace.loop_block / 2)
        wait = LockWait(clock, standstill)
        self._pulse = Pulse(clock, self._tick, period=pace.tick, stall=pace.loop_stall, on_beat=wait.mark)
        self._watchdog = Watchdog(clock, self._pulse, standstill, self._runs, limit=pace.loop_block)
        self._means = Means(clock, self._pulse, self._tell, self._quiet, pace.loop_block, standstill, wait)
        self._waiting: set[asyncio.Event] = set()

    def open(self) -> None:
        self._watchdog.start()

    def close(self) -> None:
        self._watchdog.stop()

    @property
    def total(self) -> int:
        """Calls that keep a slot."""
        return len(self.running) + len(self.stuck)

    def start(self, call: Call, hosted: Hosted, stream: Stream, received: float, *, hold: bool = True) -> None:
        """Starts a call that was admitted; its outcome goes to `stream`, whose slot it holds unless told otherwise.

        One of a journalled tool takes its slot and starts once that it was accepted is on disk; not where it holds no
        slot, for then nobody will ask for it later.
        """
        run = Run(call, hosted, received, self._means)
        run.sinks.append(stream)
        stream.due += 1
        if hold:
            run.holder = stream
            stream.hold(hosted)
            stream.outbox.fresh.append(run)
        hosted.running += 1
        self.running[call.id] = run
        if hosted.journalled and hold:
            run.accepting = True
            acceptance = Acceptance(call.id, call.digest)
            self._journal.accept(Accept(acceptance, partial(self._accepted, run), partial(self._unwritten, run)))
        else:
            self._begin(run)

    def wake(self) -> None:
        """To be called once after calls were started."""
        self._pulse.wake()
        self._watchdog.wake()

    def stop(self, run: Run, stop: Stop) -> None:
        """Asks a call to stop; how it ends is up to it, within the grace."""
        if run.stop is not None or run.settled or run.lingers:
            return
        run.stop = stop
        run.stop_by = self._pulse.lived() + self._pace.stop_grace
        if run.task is not None:
            run.task.cancel()
        if not run.entered and not run.accepting:
            # Cancelled before its first step, a task never gets to say anything.
            self._finish(run, None, failures.of_stop(run, stop))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something that only the end of a call can bring about."""
        ended = asyncio.Event()
        self._waiting.add(ended)
        try:
            while not condition():
                ended.clear()
                await ended.wait()
        finally:
            self._waiting.discard(ended)

    def _begin(self, run: Run) -> None:
        run.task = asyncio.Task(self._run(run), loop=self._loop, name=run.call.id)

    def _accepted(self, run: Run, position: int, entry: Entry | None) -> None:
        """The journal has it: it starts, unless it was stopped meanwhile, or was there before."""
        run.accepting = False
        # This start's own, unknown to memory: refused, because nobody could say whether it was written.
        call = run.call
        own = entry is None or (entry.standing is Standing.ACCEPTED and entry.boot_id == self._boot_id)
        if entry is not None and not (own and entry.digest == call.digest):
            outcome = repeated(entry, call.digest, position)
            if outcome.position:
                self._ledger.recall(call.id)
            self._dismiss(run, outcome)
            return
        run.position = position
        if run.stop is not None:
            self._finish(run, None, failures.of_stop(run, run.stop))
        else:
            self._begin(run)

    def _unwritten(self, run: Run, error: UnavailableError) -> None:
        run.accepting = False
        text = f"it was not started: {error.message}"
        failure = refusal(FailureClass.UNAVAILABLE, error.reason, text, retry_after=error.retry_after)
        self._dismiss(run, refused(run.call.id, failure))

    def _dismiss(self, run: Run, outcome: Outcome) -> None:
        """Answers a call that was not run now, and forgets it."""
        del self.running[run.call.id]
        run.settled = run.over = True
        self._send(run, outcome)
        self._release(run)

    async def _run(self, run: Run) -> None:
        run.entered = True
        CURRENT_RUN.set(run)
        result: bytes | None = None
        failure: Failure | None = None
        try:
            result = await timed(run.tool.run(run), run)
        except BaseException as error:  # a tool that raises SystemExit ends its call, not the executor
            failure = failures.of_error(run, error)
            if failure.reason == failures.RAISED:
                log_raised(run, error)
        self._end(run, result, failure)

    def _end(self, run: Run, result: bytes | None, failure: Failure | None) -> None:
        """Its tool has ended. Where nobody can say what it did, it is not over before its jobs are."""
        if run.holds_loop:
            failure = failures.held_loop(run, failure)
        if result is not None and failure is None:
            failure = failures.spoiled(run, result)
        unknown = run.settled or (failure is not None and failure.effect is KnownEffect.POSSIBLE)
        if not (unknown and run.linger(failure)):
            self._finish(run, result if failure is None else None, failure)
        elif run.stop is None:
            run.stop_by = self._pulse.lived() + self._pace.stop_grace

    def _finish(self, run: Run, result: bytes | None, failure: Failure | None) -> None:
        run.over = True
        if not run.settled:
            self._settle(run, result, failure)
        elif run in self.stuck:
            self._unstick(run)

    def _unstick(self, run: Run) -> None:
        self.stuck.discard(run)
        if (ended := self._ledger.get(run.call.id)) is not None and ended.outcome is not None:
            ended.outcome.still_running = False
        run.hosted.running -= 1
        for ended in self._waiting:
            ended.set()
        self._streams.stuck_changed()
        self._streams.divide(self.total)

    def _settle(self, run: Run, result: bytes | None, failure: Failure | None) -> None:
        call = run.call
        now = self._clock.monotonic()
        if run.start_ns:
            outcome = Outcome(call.id, result, failure, run.start_ns, run.start - run.received, now - run.start)
        else:
            outcome = Outcome(call.id, result, failure, 0, now - run.received, 0.0)
        if run.chunks or run.latest:
            tell_chunks(run)
            tell_progress(run)
        run.settled = True
        if run.position:
            self._journal.end(End(outcome, partial(self._written, run, outcome)))
        else:
            self._deliver(run, outcome)

    def _written(self, run: Run, outcome: Outcome, position: int) -> None:
        outcome.position = position
        self._deliver(run, outcome)

    def _deliver(self, run: Run, outcome: Outcome) -> None:
        """Its outcome may go out."""
        call = run.call
        outcome.still_running = not run.over
        del self.running[call.id]
        self._ledger.add(call.digest, outcome, call.origin.tenant, self._clock.monotonic())
        self._send(run, outcome)
        if self._observer is not None and call.span_id:
            self._observer.ended(call, outcome, self._clock.time_ns())
        if run.over:
            self._release(run)
        else:
            self._keep_slot(run)

    def _send(self, run: Run, outcome: Outcome) -> None:
        for stream in run.sinks:
            stream.due -= 1
            stream.outbox.put(outcome)
        for ended in self._waiting:
            ended.set()

    def _release(self, run: Run) -> None:
        run.hosted.running -= 1
        if run.holder is not None:
            run.holder.free(run.hosted)
            if not self._streams.settling:
                return
        self._streams.divide(self.total)

    def _tick(self) -> bool:
        now = self._clock.monotonic()
        lived = self._pulse.lived()
        for run in list(self.running.values()):
            if run.accepting or run.settled:
                continue
            if run.latest is not None and now >= run.progress_due:
                run.progress_due = now + _PROGRESS_INTERVAL
                tell_progress(run)
            if run.stop is not None or run.lingers:
                if lived >= run.stop_by:
                    self._abandon(run)
            elif run.holds_loop:
                self.stop(run, Stop.HELD_LOOP)
            elif lived >= run.deadline:
                self.stop(run, Stop.TIMEOUT)
            elif (stall := run.tool.spec.stall_timeout) is not None and run.start_ns and lived - run.sign >= stall:
                self.stop(run, Stop.STALLED)
        self._streams.announce_started()
        self._ledger.forget(now)
        return bool(self.running)

    def _abandon(self, run: Run) -> None:
        """Gives the outcome of a call that does not stop; what runs keeps its slot until it ends by itself."""
        run.bar()
        self._settle(run, None, run.failure or failures.of_stop(run, run.stop or Stop.CANCELLED))

    def _keep_slot(self, run: Run) -> None:
        self.stuck.add(run)
        if run.holder is not None:
            run.holder.free(run.hosted)
            run.holder = None
        self._streams.stuck_changed()
        self._streams.divide(self.total)
        log_stuck(run, len(self.stuck))

    def _tell(self, run: Run) -> None:
        # From any thread; a loop that is closed has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(tell_chunks, run)

    def _quiet(self, run: Run) -> None:
        # From any thread, as above.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._over, run)

    def _over(self, run: Run) -> None:
        """The last job of one that lingers has ended; unless there came another."""
        if not run.over and not run.linger(run.failure):
            self._finish(run, None, run.failure)

    def _runs(self) -> list[Run]:
        """All that have not ended; from any thread."""
        return [*self.running.values(), *self.stuck]
