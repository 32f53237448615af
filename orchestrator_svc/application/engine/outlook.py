"""What only the engine knows of why proposals wait: whose executor is not heard of, since when none has a tool."""

from typing import NamedTuple

from orchestrator_svc.application.engine.dispatcher import Dispatcher
from orchestrator_svc.application.engine.flights import Flights
from orchestrator_svc.application.engine.settings import EngineSettings
from orchestrator_svc.domain.tool import ToolKey
from shared.kernel.clock import Clock

_SECOND = 1_000_000_000


class Span(NamedTuple):
    """In ns since 1970."""

    since: int
    until: int


class Outlook:
    """For people who look: times by the wall clock, as of now."""

    def __init__(self, flights: Flights, dispatcher: Dispatcher, clock: Clock, settings: EngineSettings) -> None:
        self._flights, self._dispatcher, self._clock, self._settings = flights, dispatcher, clock, settings

    def now(self) -> int:
        return self._clock.time_ns()

    def unheard(self, call_id: str) -> Span | None:
        """Its executor is lost, or silent and asked, and has that long to say what became of it."""
        flight = self._flights.get(call_id)
        if flight is None or not flight.current:
            return None
        since = self._flights.lost_since(flight)
        if since is not None:
            return self._span(since, self._settings.reattach_window)
        return self._span(flight.asked, self._settings.cancel_grace / _SECOND) if flight.asked else None

    def unserved(self, batch_id: str, tool: ToolKey, ready: int) -> int | None:
        """When one that is ready since then fails; None: it does not, or waits for its turn in its batch."""
        since = self._dispatcher.unserved_since(batch_id, tool)
        if since is None:
            return None
        return max(ready, self._span(since, 0.0).since) + round(self._settings.queue_timeout * _SECOND)

    def _span(self, since: float, seconds: float) -> Span:
        """From a monotonic time."""
        begin = self.now() - round((self._clock.monotonic() - since) * _SECOND)
        return Span(begin, begin + round(seconds * _SECOND))
