"""The engine: takes commands, signals and timers from its inbox, steps the batches, records, dispatches.

One step touches no I/O: what it changes goes to the recorder, what it sends to the executors' queues. A fault inside
one batch ends that batch, with events that say so; the loop goes on.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from orchestrator_svc.application.engine.announcing import Announcer
from orchestrator_svc.application.engine.dispatcher import Dispatcher
from orchestrator_svc.application.engine.dispatching import Sender
from orchestrator_svc.application.engine.faults import Faults
from orchestrator_svc.application.engine.flights import Flights
from orchestrator_svc.application.engine.live import LiveBatches
from orchestrator_svc.application.engine.recorder import Recorder, Recording
from orchestrator_svc.application.engine.settings import EngineSettings
from orchestrator_svc.application.engine.signals import SignalHandler
from orchestrator_svc.application.engine.timers import Timers
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes, Timer
from orchestrator_svc.domain.firing import fire
from orchestrator_svc.domain.recovering import recover
from orchestrator_svc.ports.executor import Executors, Signal, Target
from orchestrator_svc.ports.feed import Feed
from orchestrator_svc.ports.observer import Observer
from orchestrator_svc.ports.store import Store
from shared.kernel.clock import Clock
from shared.kernel.errors import GreenlightError, UnavailableError

T = TypeVar("T")
SLICE = 256
"""Signals of one step; more wait for the next, so that neighbours of the loop get their turn."""

Operation = Callable[[Batch, Changes], T]

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Command:
    batch: Batch
    operation: Operation[Any]
    future: asyncio.Future[Any]
    received: float
    urgent: bool


class Engine:
    """Use cases call `execute` and `create`; `run` is its one supervised task."""

    def __init__(
        self,
        store: Store,
        executors: Executors,
        feed: Feed,
        observer: Observer,
        live: LiveBatches,
        clock: Clock,
        settings: EngineSettings,
        on_tools: Callable[[Target, Any], None],
    ) -> None:
        self._store, self._executors, self._feed = store, executors, feed
        self._clock, self._settings = clock, settings
        self.live = live
        self.flights = Flights()
        self.timers = Timers(clock)
        self.dispatcher = Dispatcher()
        self.recorder = Recorder(store, clock, self._lost, settings.max_backlog)
        announcer = Announcer(observer, feed, live, self.dispatcher, self.recorder.pending)
        self.recorder.on_commit = announcer.committed
        live.busy, live.recorded, live.awaited = self.recorder.pending, self.recorder.recorded, self.flights.awaits
        self._signals = SignalHandler(self.flights, executors, clock, on_tools)
        self._sender = Sender(self.flights, self.dispatcher, executors, observer, clock)
        self._faults = Faults(self)
        self._commands: deque[_Command] = deque()
        self._holding: Counter[str] = Counter()
        self._incoming: deque[Signal] = deque()
        self._wake = asyncio.Event()
        self._stepped = asyncio.Event()
        self._draining = False

    # -- what use cases call

    async def execute(self, batch: Batch, operation: Operation[T], *, urgent: bool = True) -> T:
        """Runs an operation on a pinned batch; returns its value when what it changed is committed.

        Raises what the operation raised (nothing is changed then), or UnavailableError (BATCH_LOST, DRAINING).
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._commands.append(_Command(batch, operation, future, self._clock.monotonic(), urgent))
        self._wake.set()
        return await future

    async def create(self, changes: Changes) -> None:
        """Records a new batch that a use case has put together (not concluded yet), and goes on with it."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        batch = changes.batch
        self.live.add(batch)
        self._record(changes, future, None)
        self._wake.set()  # it may have brought timers
        try:
            await future
        except GreenlightError:
            self.live.drop(batch.id)
            raise

    # -- its own life

    async def recover(self) -> int:
        """Loads every batch that is not finished. Call before `run`. Returns how many."""
        count = 0
        async for batch in self._store.unfinished(self.live.judge):
            self.live.add(batch)
            try:
                self.resume(batch)
            except Exception as error:
                self._faults.end(batch, error)
            count += 1
        return count

    def resume(self, batch: Batch) -> None:
        """Goes on with a batch that was just loaded."""
        changes = batch.begin(self._clock.time_ns(), self._clock.monotonic())
        self._signals.expect(batch, recover(batch, changes))
        self._record(changes, None, None)

    def drain(self) -> None:
        """Starts nothing more; what runs may end. Takes no more submissions, and lets the watchers go."""
        self._draining = True
        self._feed.close()

    async def landed(self) -> None:
        """Until no attempt is under way."""
        while self.flights.waiting:
            self._stepped.clear()
            await self._stepped.wait()

    def check_capacity(self) -> None:
        """Raises UnavailableError (DRAINING, STORE_UNAVAILABLE), ExhaustedError (OVERLOADED)."""
        if self._draining:
            raise UnavailableError("DRAINING", "the orchestrator is shutting down; try another", retry_after=1.0)
        self.recorder.check_capacity()

    def look(self) -> None:
        """Steps again soon, though nothing new came in: the clock was moved, or slots were."""
        self._wake.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.recorder.run(), name="recorder")
            tasks.create_task(self._listen(), name="signals")
            tasks.create_task(self._faults.run(), name="faults")
            while True:
                await self._wait()
                self.step()

    async def _listen(self) -> None:
        while True:
            signals = await self._executors.signals()
            self._incoming.extend(signals)
            self._wake.set()

    async def _wait(self) -> None:
        """Until there is something to do."""
        if self._wake.is_set():
            self._wake.clear()
            await asyncio.sleep(0)
            return
        dues = [due for due in (self.timers.due_in(), self._next_patrol()) if due is not None]
        try:
            async with asyncio.timeout(min(dues) if dues else None):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _next_patrol(self) -> float | None:
        """Seconds to the next look at what waits for executors that are not there."""
        since = self.flights.next_overdue()
        lost = None if since is None else max(0.0, since + self._settings.reattach_window - self._clock.monotonic())
        queued = min(1.0, self._settings.queue_timeout) if self.dispatcher.waiting() else None
        times = [time for time in (lost, queued) if time is not None]
        return min(times) if times else None

    # -- one step

    def step(self) -> None:
        """Works off the inbox: signals (a slice), commands, timers, patrol; then sends what fits (a slice)."""
        if self._incoming:
            count = min(len(self._incoming), SLICE)
            self._each(self._signals.handle([self._incoming.popleft() for _ in range(count)]))
        while self._commands:
            self._command(self._commands.popleft())
        for batch_id, timer in self.timers.take_due():
            self._fire(batch_id, timer)
        self._patrol()
        self._dispatch()
        self._stepped.set()
        if self._incoming:
            self._wake.set()

    def _each(self, work: dict[Batch, list[Callable[[Batch, Changes], None]]]) -> None:
        """Runs what the signals mean, one change a batch."""
        for batch, operations in work.items():
            changes = self._begin(batch)
            try:
                for operation in operations:
                    operation(batch, changes)
            except Exception as error:
                self._faults.end(batch, error)
                self._signals.acknowledgement(batch)
                continue
            self._record(changes, None, None, self._signals.acknowledgement(batch))

    def _command(self, command: _Command) -> None:
        if command.future.cancelled():
            return
        batch = command.batch
        if self.live.get(batch.id) is not batch:
            command.future.set_exception(batch_lost())
            return
        changes = batch.begin(self._clock.time_ns(), command.received)
        changes.urgent = command.urgent
        try:
            answer = command.operation(batch, changes)
        except GreenlightError as error:
            if changes.events or changes.touched:
                self._faults.end(batch, error)
            command.future.set_exception(error)
        except Exception as error:
            self._faults.end(batch, error)
            command.future.set_exception(batch_lost())
        else:
            self._record(changes, command.future, answer)

    def _fire(self, batch_id: str, timer: Timer) -> None:
        batch = self.live.get(batch_id)
        if batch is not None:
            self._each({batch: [lambda b, c: fire(b, c, timer, self._settings.cancel_grace)]})

    def _patrol(self) -> None:
        """What has waited too long for an executor, and what never reached one."""
        now = self._clock.monotonic()
        self._each(self._sender.take_unsent())
        self._each(self._signals.give_up(self.flights.overdue(now - self._settings.reattach_window)))
        self._each(self._sender.queue_timeouts(now, self._settings.queue_timeout))

    def _dispatch(self) -> None:
        if self.dispatcher.waiting() and not self._draining:
            for sending in self._sender.dispatch(self._begin, self._faults.end):
                self._record(sending.changes, None, None, sending.send)
            if self._sender.more:
                self._wake.set()

    def _begin(self, batch: Batch) -> Changes:
        return batch.begin(self._clock.time_ns(), self._clock.monotonic())

    # -- after a step, after a commit

    def _record(
        self,
        changes: Changes,
        future: "asyncio.Future[Any] | None",
        answer: Any,
        after: Callable[[], None] | None = None,
    ) -> None:
        """Concludes changes and lets go on what need not wait for the commit."""
        batch, ahead = changes.batch, None
        try:
            if changes.hold and changes.ready and not (batch.max_in_flight or self._draining):
                ahead = self._sender.ahead(changes)
            batch.conclude(changes)
        except Exception as error:
            self._faults.end(batch, error)
            if future is not None:
                future.set_exception(batch_lost())
            return
        self.timers.add(batch.id, changes.timers, changes.time)
        # What people did is committed before anything that may rest on it is sent.
        if changes.hold:
            self._holding[batch.id] += 1
        waits = batch.id in self._holding
        if changes.ready and not waits:
            self._offer(changes)
        self._stop(changes)
        self.dispatcher.open_gate(batch)

        def then() -> None:
            self._release(changes)
            if waits and changes.ready and self.live.get(batch.id) is batch:
                self._offer(changes)
            for send in filter(None, (after, ahead)):
                send()
                self._wake.set()  # slots that were promised are free again, and some may not have been sent
            if future is not None and not future.done():
                future.set_result(answer)

        def lost(error: GreenlightError) -> None:
            self._release(changes)
            if future is not None and not future.done():
                future.set_exception(error)

        self.recorder.record(Recording(changes, then, lost))

    def _release(self, changes: Changes) -> None:
        if changes.hold:
            self._holding[changes.batch.id] -= 1
            if not self._holding[changes.batch.id]:
                del self._holding[changes.batch.id]

    def _offer(self, changes: Changes) -> None:
        self.dispatcher.offer(changes.batch, changes.ready, self._clock.monotonic())
        self._wake.set()

    def _stop(self, changes: Changes) -> None:
        for proposal in changes.stops:
            flight = self.flights.get(changes.batch.call_id(proposal))
            if flight is not None:
                self._executors.cancel(flight.target, [flight.call_id])

    def _lost(self, batch_id: str) -> None:
        """Its changes were refused: what memory holds is not what is on record."""
        batch = self.live.get(batch_id)
        if batch is not None and batch.number:
            self._faults.end(batch, batch_lost())
        else:
            self.live.drop(batch_id)


def batch_lost() -> UnavailableError:
    return UnavailableError("BATCH_LOST", "the batch is being taken up anew; try again", retry_after=0.5)
