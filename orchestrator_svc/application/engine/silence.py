"""Calls whose executor is there and says nothing of them: asked about when their time is over, then given up.

A tool's timeout is the executor's to keep. This is for an executor that does not: it counts from when the tool is said
to run, or, before that, leaves the executor the same time once more to let the call wait.
"""

import logging
from collections.abc import Iterable

from orchestrator_svc.application.engine.flights import Flight, Flights
from orchestrator_svc.application.engine.reattaching import Reattaching
from orchestrator_svc.application.engine.signals import Work, settle_lost
from orchestrator_svc.domain.tool import ToolDescriptor, ToolKey
from orchestrator_svc.ports.executor import Executors
from shared.kernel.clock import Clock

DEFAULT_TIMEOUT = 30.0
UNANSWERED = "CALL_UNANSWERED"
_SECOND = 1_000_000_000

_log = logging.getLogger(__name__)


class Silence:
    """`margin`: what a call may take beyond its time; `grace`: what its executor has to answer. In s."""

    def __init__(
        self,
        flights: Flights,
        reattaching: Reattaching,
        executors: Executors,
        clock: Clock,
        margin: float,
        grace: float,
    ) -> None:
        self._flights, self._reattaching, self._executors, self._clock = flights, reattaching, executors, clock
        self._margin, self._grace = margin, grace
        self._timeouts: dict[ToolKey, float] = {}
        self._next = 0.0
        self.asks = False
        """Whether any was asked about and has not answered, as of the last look."""

    def described(self, descriptors: Iterable[ToolDescriptor]) -> None:
        """The tools' own timeouts, for calls without one."""
        for descriptor in descriptors:
            if descriptor.timeout is not None:
                self._timeouts[descriptor.key] = descriptor.timeout / _SECOND

    def due_in(self) -> float | None:
        """Seconds to the next look; None: nothing is under way."""
        return max(0.0, self._next - self._clock.monotonic()) if len(self._flights) else None

    def look(self) -> Work:
        """Asks about those whose time is over; gives up those that were asked about in vain."""
        work: Work = {}
        now = self._clock.monotonic()
        if now < self._next:
            return work
        self.asks = False
        self._next = now + min(self._margin, self._grace)  # nothing that is sent after this look is due before that
        for flight in self._flights.heard_of():
            due = self._due(flight)
            if due > now:
                self._next = min(self._next, due)
                self.asks = self.asks or flight.asked > 0
            elif not flight.asked:
                self._ask(flight, now)
                self.asks = True
            else:
                message = "the executor did not say what became of it, also when it was asked"
                settle_lost(work, flight, UNANSWERED, message)
        return work

    def _due(self, flight: Flight) -> float:
        if flight.asked:
            return flight.asked + self._grace
        proposal = flight.proposal
        timeout = self._timeouts.get(proposal.tool, DEFAULT_TIMEOUT)
        if proposal.timeout is not None:
            timeout = proposal.timeout / _SECOND
        return max(flight.sent, flight.since) + timeout * (1 if flight.started else 2) + self._margin

    def _ask(self, flight: Flight, now: float) -> None:
        """What it never got it is not to run any more; what it runs it is to stop."""
        _log.warning("%s says nothing of %s, and its time is over", flight.target.executor_id, flight.call_id)
        flight.asked = now
        self._reattaching.ask(flight.target, [flight])
        self._executors.cancel(flight.target, [flight.stop])
