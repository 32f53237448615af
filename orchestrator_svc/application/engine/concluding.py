"""The end of a step: changes are closed and handed to the recorder, and what follows is let go, at once or once they
are committed."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from orchestrator_svc.application.engine.dispatcher import Dispatcher
from orchestrator_svc.application.engine.dispatching import Sender
from orchestrator_svc.application.engine.flights import Flights
from orchestrator_svc.application.engine.grouping import Recording
from orchestrator_svc.application.engine.leases import Tenure
from orchestrator_svc.application.engine.live import LiveBatches
from orchestrator_svc.application.engine.recorder import Recorder
from orchestrator_svc.application.engine.timers import Timers
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.ports.executor import Executors
from shared.kernel.clock import Clock
from shared.kernel.errors import UnavailableError


class Caller:
    """Somebody who waits for what a command comes to; may have gone."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def answer(self, value: Any) -> None:
        if not self.future.done():
            self.future.set_result(value)

    def refuse(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Concluder:
    """`on_fault` is told of a batch that cannot be concluded, `wake` that there is more to do."""

    def __init__(
        self,
        live: LiveBatches,
        recorder: Recorder,
        dispatcher: Dispatcher,
        sender: Sender,
        flights: Flights,
        timers: Timers,
        executors: Executors,
        clock: Clock,
        tenure: Tenure,
        on_fault: Callable[[Batch, Exception], None],
        wake: Callable[[], None],
    ) -> None:
        self._live, self._recorder, self._dispatcher, self._sender = live, recorder, dispatcher, sender
        self._flights, self._timers, self._executors, self._clock = flights, timers, executors, clock
        self._tenure, self._on_fault, self._wake = tenure, on_fault, wake
        self._holding: Counter[str] = Counter()
        self.draining = False

    def record(
        self,
        changes: Changes,
        *,
        acknowledge: Callable[[], None] | None = None,
        send: Callable[[], None] | None = None,
        caller: Caller | None = None,
        answer: Any = None,
    ) -> None:
        """Concludes changes, and lets go on what need not wait for the commit. After it: `acknowledge`, `send`."""
        batch = changes.batch
        try:
            ahead = self._conclude(changes)
        except Exception as error:
            self._on_fault(batch, error)
            if caller is not None:
                caller.refuse(batch_lost())
            return
        waits = self._let_go(changes)

        def then() -> None:
            self._release(changes)
            if waits and changes.ready and self._live.get(batch.id) is batch:
                self._offer(changes)
            if acknowledge is not None:
                acknowledge()
            for hand_over in filter(None, (send, ahead)):
                hand_over()
                self._wake()  # slots that were promised are free again, and some may not have been sent
            if caller is not None:
                caller.answer(answer)

        def lost(error: Exception) -> None:
            self._release(changes)
            if caller is not None:
                caller.refuse(error)

        self._recorder.record(Recording(changes, then, lost, caller.refuse if caller is not None else None))

    def _conclude(self, changes: Changes) -> Callable[[], None] | None:
        """Returns what sends the attempts that are recorded with the changes themselves."""
        ahead, batch = None, changes.batch
        self._sender.take_back(changes)
        may_send = self._tenure.holds and not self.draining
        if changes.hold and changes.ready and may_send and not batch.max_in_flight:
            ahead = self._sender.ahead(changes)
        batch.conclude(changes)
        return ahead

    def _let_go(self, changes: Changes) -> bool:
        """What need not wait for the commit. Returns whether what is ready has to."""
        batch = changes.batch
        self._timers.add(batch.id, changes.timers, changes.time)
        # What people did is committed before anything that may rest on it is sent.
        if changes.hold:
            self._holding[batch.id] += 1
        waits = batch.id in self._holding
        if changes.ready and not waits:
            self._offer(changes)
        self._stop(changes)
        self._dispatcher.open_gate(batch)
        return waits

    def _release(self, changes: Changes) -> None:
        if changes.hold:
            self._holding[changes.batch.id] -= 1
            if not self._holding[changes.batch.id]:
                del self._holding[changes.batch.id]

    def _offer(self, changes: Changes) -> None:
        self._dispatcher.offer(changes.batch, changes.ready, self._clock.monotonic())
        self._wake()

    def _stop(self, changes: Changes) -> None:
        for proposal in changes.stops:
            flight = self._flights.get(changes.batch.call_id(proposal))
            if flight is not None:
                self._executors.cancel(flight.target, [flight.stop])


def batch_lost() -> UnavailableError:
    return UnavailableError("BATCH_LOST", "the batch is being taken up anew; try again", retry_after=0.5)
