"""The engine: takes commands, signals and timers from its inbox, steps the batches, records, dispatches.

One step touches no I/O: what it changes goes to the recorder, what it sends to the executors' queues. A fault inside
one batch ends that batch, with events that say so; the loop goes on.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from orchestrator_svc.application.engine.announcing import Announcer
from orchestrator_svc.application.engine.concluding import Caller, Concluder, batch_lost
from orchestrator_svc.application.engine.dispatcher import Dispatcher
from orchestrator_svc.application.engine.dispatching import Sender
from orchestrator_svc.application.engine.draining import NOTHING_RUNS, WHILE_CALLS_RUN, draining
from orchestrator_svc.application.engine.faults import Faults
from orchestrator_svc.application.engine.flights import Flights
from orchestrator_svc.application.engine.inbox import Command, Inbox, Operation
from orchestrator_svc.application.engine.late import LateEndings
from orchestrator_svc.application.engine.leases import Tenure
from orchestrator_svc.application.engine.live import LiveBatches
from orchestrator_svc.application.engine.outlook import Outlook
from orchestrator_svc.application.engine.patrol import Patrol
from orchestrator_svc.application.engine.probing import Probing
from orchestrator_svc.application.engine.reattaching import Reattaching
from orchestrator_svc.application.engine.recorder import Recorder
from orchestrator_svc.application.engine.resuming import Resuming
from orchestrator_svc.application.engine.settings import EngineSettings
from orchestrator_svc.application.engine.signals import SignalHandler
from orchestrator_svc.application.engine.silence import Silence
from orchestrator_svc.application.engine.timers import Timers
from orchestrator_svc.application.engine.unserved import Unserved
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes, Timer, TimerKind
from orchestrator_svc.domain.firing import fire
from orchestrator_svc.domain.tool import ToolDescriptor
from orchestrator_svc.ports.executor import Executors, Signal, Target
from orchestrator_svc.ports.feed import Feed
from orchestrator_svc.ports.observer import Observer
from orchestrator_svc.ports.store import Committed, Store
from shared.kernel.clock import Clock
from shared.kernel.errors import GreenlightError

T = TypeVar("T")
SLICE = 256
"""Signals of one step; more wait for the next, so that neighbours of the loop get their turn."""

MAX_PROBLEMS = 100


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
        self._clock, self._settings, self._on_tools = clock, settings, on_tools
        self.live, self.inbox, self._stopped = live, Inbox(), False
        self._wake, self._stepped = asyncio.Event(), asyncio.Event()
        self._incoming: deque[Signal] = deque()
        flights = self.flights = Flights()
        timers = self.timers = Timers(clock, live.__contains__)
        dispatcher = self.dispatcher = Dispatcher()
        self.outlook = Outlook(flights, dispatcher, clock, settings)
        faults = self.faults = Faults(self)
        tenure = self.tenure = Tenure(clock, settings.lease_period if live.shared else None)
        recorder = self.recorder = Recorder(
            store, clock, faults.lost, faults.unwritable, settings.max_backlog, settings.store_patience
        )
        recorder.on_commit = self._committed
        live.pending, live.recorded, live.awaited = recorder.pending, recorder.recorded, flights.awaits
        live.resume, live.check_taking = self.resume, self._check_taking
        live.forget, live.evicted = faults.forget, dispatcher.drop
        self._announcer = Announcer(observer, feed, live)
        reattaching = self.reattaching = Reattaching(flights, executors)
        signals = self._signals = SignalHandler(flights, reattaching, executors, clock, self._tools_seen)
        sender = self.sender = Sender(flights, dispatcher, executors, observer, clock, tenure)
        grace = settings.cancel_grace / 1e9
        self._silence = Silence(flights, reattaching, executors, clock, settings.answer_margin, grace)
        unserved = Unserved(dispatcher, executors)
        probing = self._probing = Probing(executors, live, sender.call, reattaching, clock, settings.probe_max_delay)
        live.engaged, live.next_look = probing.engaged, probing.next_look
        late = self.late = LateEndings(executors)
        signals.on_looked, signals.on_lost, signals.on_late = probing.answered, probing.lost, late.put
        self._patrol = Patrol(
            flights, timers, dispatcher, sender, signals, self._silence, unserved, probing, recorder, clock, settings
        )
        self._concluder = Concluder(
            live, recorder, dispatcher, sender, flights, timers, executors, clock, tenure, faults.end, self._wake.set
        )
        self._resuming = Resuming(
            store, reattaching, signals, self._concluder, self._begin, faults.end, settings.cancel_grace
        )
        live.arriving = self._resuming.arriving

    # -- what use cases call

    async def execute(self, batch: Batch, operation: Operation[T]) -> T:
        """Runs an operation on a pinned batch; returns its value when what it changed is committed.

        Raises what the operation raised (nothing is changed then), or UnavailableError: BATCH_LOST; STORE_UNAVAILABLE,
        where nothing is changed, or, as the message says, its outcome is not known yet.
        """
        return await self.ask(batch, operation)

    def ask(self, batch: Batch, operation: Operation[T]) -> asyncio.Future[T]:
        """As `execute`, behind all that was asked before: what comes of it is the future's."""
        self.recorder.check_store()
        self._wake.set()
        return self.inbox.put(batch, operation, self._clock.monotonic())

    async def create(self, changes: Changes) -> None:
        """Records a new batch that a use case has put together (not concluded yet), and goes on with it.

        Raises UnavailableError, as `execute`: where the outcome is not known yet, the batch lives once it is committed.
        """
        self.recorder.check_store()
        caller = Caller()
        self.live.add(changes.batch)
        self._concluder.record(changes, caller=caller)
        self._wake.set()  # it may have brought timers
        await caller.future

    # -- its own life

    async def prepare(self) -> None:
        """Call before `run`."""
        await self._resuming.prepare()

    def resume(self, batch: Batch) -> None:
        """Goes on with a batch that was just taken."""
        self._resuming.resume(batch)
        self._wake.set()

    def _check_taking(self) -> None:
        if self.draining:
            raise draining(self._feed.retry_after)

    def drain(self) -> None:
        """Starts nothing more; what runs may end. Takes no more submissions, and lets the watchers go."""
        self._concluder.draining = True
        self._feed.close(WHILE_CALLS_RUN if self.flights.waiting else NOTHING_RUNS)

    def stop(self) -> None:
        """Works nothing off any more: that its executors are left now is no failure of a call."""
        self._stopped = True

    async def landed(self) -> None:
        """Until no attempt is under way."""
        while self.flights.waiting:
            self._stepped.clear()
            await self._stepped.wait()

    @property
    def draining(self) -> bool:
        return self._concluder.draining

    def check_capacity(self) -> None:
        """Raises UnavailableError (DRAINING, STORE_UNAVAILABLE), ExhaustedError (OVERLOADED)."""
        self._check_taking()
        self.recorder.check_capacity()

    def problems(self) -> list[str]:
        """What keeps it from doing all of its work, for people; a few of many."""
        failing = self.recorder.failing
        found = [] if failing is None else [str(failing)]
        if not self.tenure.holds:
            found.append("the lease could not be renewed in time: nothing is dispatched until it is")
        found += [f"batch {batch_id} is stuck: {why}" for batch_id, why in self.faults.stuck.items()]
        return found[:MAX_PROBLEMS]

    def look(self) -> None:
        """Steps again soon, though nothing new came in: the clock was moved, or slots were."""
        self._wake.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.recorder.run(), name="recorder")
            tasks.create_task(self._listen(), name="signals")
            tasks.create_task(self.faults.run(), name="faults")
            tasks.create_task(self.late.run(), name="late endings")
            while await self._wait():
                self.step()

    async def _listen(self) -> None:
        while True:
            signals = await self._executors.signals()
            self._incoming.extend(signals)
            self._wake.set()

    async def _wait(self) -> bool:
        """Until there is something to do. False: no more."""
        planned: float | None = 0.0
        if self._wake.is_set():
            await asyncio.sleep(0)
        else:
            dues = [due for due in (self.timers.due_in(), self._patrol.due_in()) if due is not None]
            planned = min(dues) if dues else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(planned):
                    await self._wake.wait()
        self._wake.clear()
        self._patrol.woke(planned, asyncio.get_running_loop().time())
        return not self._stopped

    # -- one step

    def step(self) -> None:
        """Works off the inbox: signals (a slice), commands, timers, patrol; then sends what fits (a slice)."""
        if self._incoming:
            count = min(len(self._incoming), SLICE)
            self._each(self._signals.handle([self._incoming.popleft() for _ in range(count)]))
        for command in self.inbox.take():
            self._command(command)
        for batch_id, timer in self.timers.take_due():
            self._fire(batch_id, timer)
        for work in self._patrol.look():
            self._each(work)
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
                self.faults.end(batch, error)
                self._signals.acknowledgement(batch)
                continue
            self._concluder.record(changes, acknowledge=self._signals.acknowledgement(batch))

    def _command(self, command: Command) -> None:
        batch, caller = command.batch, command.caller
        if caller.future.cancelled():
            return
        if self.live.get(batch.id) is not batch:
            caller.refuse(batch_lost())
            return
        changes = batch.begin(self._clock.time_ns(), command.received)
        changes.urgent, changes.hold = True, self.live.may_be_taken(batch.id)
        try:
            answer = command.operation(batch, changes)
        except GreenlightError as error:
            if changes.events or changes.touched:
                self.faults.end(batch, error)
            caller.refuse(error)
        except Exception as error:
            self.faults.end(batch, error)
            caller.refuse(batch_lost())
        else:
            self._concluder.record(changes, caller=caller, answer=answer)

    def _fire(self, batch_id: str, timer: Timer) -> None:
        batch = self.live.get(batch_id)
        if batch is not None and timer.kind is TimerKind.PROBE:
            self._probing.begin(batch, batch.proposals[timer.ordinal - 1])
        elif batch is not None:
            self._each({batch: [self._hold_if_shared, lambda b, c: fire(b, c, timer, self._settings.cancel_grace)]})

    def _hold_if_shared(self, batch: Batch, changes: Changes) -> None:
        """What may be another's by now makes nothing run before the store has agreed."""
        changes.hold = self.live.may_be_taken(batch.id)

    def _dispatch(self) -> None:
        if not self.tenure.holds:
            return
        self.sender.go_on()
        if self.dispatcher.waiting() and not self.draining:
            for sending in self.sender.dispatch(self._begin, self.faults.end):
                self._concluder.record(sending.changes, send=sending.send)
            if self.sender.more:
                self._wake.set()

    def _begin(self, batch: Batch) -> Changes:
        return batch.begin(self._clock.time_ns(), self._clock.monotonic())

    def _committed(self, group: Sequence[Changes], committed: Committed) -> None:
        self.faults.recorded(group)
        self._announcer.committed(group, committed)

    def _tools_seen(self, target: Target, descriptors: tuple[ToolDescriptor, ...]) -> None:
        self._silence.described(descriptors)
        self._probing.described(descriptors)
        self._on_tools(target, descriptors)
