"""Looks after what waits too long: for an executor that was lost or never was there, for an answer, for the store."""

from collections.abc import Iterator

from orchestrator_svc.application.engine.dispatcher import Dispatcher
from orchestrator_svc.application.engine.dispatching import Sender
from orchestrator_svc.application.engine.flights import Flights
from orchestrator_svc.application.engine.recorder import Recorder
from orchestrator_svc.application.engine.settings import EngineSettings
from orchestrator_svc.application.engine.signals import SignalHandler, Work
from orchestrator_svc.application.engine.silence import Silence
from orchestrator_svc.application.engine.unserved import Unserved
from shared.kernel.clock import Clock


class Patrol:
    """Goes round at every step; `due_in` says when it has to at the latest."""

    def __init__(
        self,
        flights: Flights,
        dispatcher: Dispatcher,
        sender: Sender,
        signals: SignalHandler,
        silence: Silence,
        unserved: Unserved,
        recorder: Recorder,
        clock: Clock,
        settings: EngineSettings,
    ) -> None:
        self._flights, self._dispatcher, self._sender, self._signals = flights, dispatcher, sender, signals
        self._silence, self._unserved, self._recorder = silence, unserved, recorder
        self._clock, self._settings = clock, settings

    def due_in(self) -> float | None:
        """Seconds; None: nothing waits."""
        since = self._flights.next_overdue()
        lost = None if since is None else max(0.0, since + self._settings.reattach_window - self._clock.monotonic())
        queued = min(1.0, self._settings.queue_timeout) if self._dispatcher.waiting() else None
        dues = (lost, queued, self._silence.due_in(), self._recorder.patience_left())
        return min((due for due in dues if due is not None), default=None)

    def look(self) -> Iterator[Work]:
        """What is to be done, each before the next is looked for."""
        now = self._clock.monotonic()
        self._recorder.lose_patience()
        yield self._sender.take_unsent()
        yield self._signals.give_up(self._flights.overdue(now - self._settings.reattach_window))
        yield self._silence.look()
        yield self._unserved.look(now, self._settings.queue_timeout)
