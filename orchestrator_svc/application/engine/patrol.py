"""Looks after what waits too long: for an executor that was lost or never was there, for an answer, for the store.

Time in which this process stood still (stopped, frozen, without a processor) is not an executor's: it was not listened
to. What it had to say meanwhile comes before anything is given up.
"""

import logging
from collections.abc import Iterator

from orchestrator_svc.application.engine.dispatcher import Dispatcher
from orchestrator_svc.application.engine.dispatching import Sender
from orchestrator_svc.application.engine.flights import Flights
from orchestrator_svc.application.engine.probing import Probing
from orchestrator_svc.application.engine.recorder import Recorder
from orchestrator_svc.application.engine.settings import EngineSettings
from orchestrator_svc.application.engine.signals import SignalHandler, Work
from orchestrator_svc.application.engine.silence import Silence
from orchestrator_svc.application.engine.timers import Timers
from orchestrator_svc.application.engine.unserved import Unserved
from shared.kernel.clock import Clock

LOOK = 1.0
"""How often it goes round, in s, while an executor is lost, or is to answer: a longer standstill is seen, and
what was said meanwhile has this long to come in."""

_log = logging.getLogger(__name__)


class Patrol:
    """Goes round at every step; `due_in` says when it has to at the latest."""

    def __init__(
        self,
        flights: Flights,
        timers: Timers,
        dispatcher: Dispatcher,
        sender: Sender,
        signals: SignalHandler,
        silence: Silence,
        unserved: Unserved,
        probing: Probing,
        recorder: Recorder,
        clock: Clock,
        settings: EngineSettings,
    ) -> None:
        self._flights, self._timers, self._dispatcher = flights, timers, dispatcher
        self._sender, self._signals = sender, signals
        self._silence, self._unserved, self._probing = silence, unserved, probing
        self._recorder, self._clock, self._settings = recorder, clock, settings
        self._look = min(LOOK, settings.reattach_window / 4)
        self._woke: float | None = None

    def due_in(self) -> float | None:
        """Seconds; None: nothing waits."""
        since = self._flights.next_overdue()
        lost = None if since is None else max(0.0, since + self._settings.reattach_window - self._clock.monotonic())
        if lost is not None:
            lost = min(lost, self._look)
        queued = min(1.0, self._settings.queue_timeout) if self._dispatcher.waiting() else None
        asked = self._look if self._timers.awaits_executors or self._silence.asks else None
        silence, probing = self._silence.due_in(), self._probing.due_in()
        dues = (lost, asked, queued, silence, probing, self._recorder.patience_left())
        return min((due for due in dues if due is not None), default=None)

    def woke(self, planned: float | None, now: float) -> None:
        """The loop goes on, which had planned to within so many s. `now`: its own time."""
        late = 0.0 if planned is None or self._woke is None else now - self._woke - planned
        self._woke = now
        if late > self._look and len(self._flights):
            _log.warning("this process stood still for %.1f s; no executor is given up for it", late)
            self._flights.excuse(late, self._look)
            self._timers.excuse(late + self._look)

    def look(self) -> Iterator[Work]:
        """What is to be done, each before the next is looked for."""
        now = self._clock.monotonic()
        self._recorder.lose_patience()
        self._probing.look()
        yield self._sender.take_unsent()
        yield self._signals.give_up(self._flights.overdue(now - self._settings.reattach_window))
        yield self._silence.look()
        yield self._unserved.look(now, self._settings.queue_timeout)
