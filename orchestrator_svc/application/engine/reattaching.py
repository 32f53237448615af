"""Asks executors what became of calls that were sent earlier: to the start that is connected, or to one before it."""

from collections.abc import Mapping, Sequence

from orchestrator_svc.application.engine.flights import Flight, Flights
from orchestrator_svc.ports.executor import Ask, Executors, Target


class Reattaching:
    """Knows how far each executor's journal stood, by its own word: one that is behind that was put back."""

    def __init__(self, flights: Flights, executors: Executors) -> None:
        self._flights, self._executors = flights, executors
        self._positions: dict[str, int] = {}

    def load(self, positions: Mapping[str, int]) -> None:
        """What is on record."""
        for executor_id, position in positions.items():
            self.saw_position(executor_id, position)

    def saw_position(self, executor_id: str, position: int) -> None:
        if position > self._positions.get(executor_id, 0):
            self._positions[executor_id] = position

    def position(self, executor_id: str) -> int:
        """How far its journal stood at least; 0: that is not known."""
        return self._positions.get(executor_id, 0)

    def expect(self, flights: Sequence[Flight], now: float) -> None:
        """Those of an earlier owner: who can tell of them is asked, now if it is there, or once it is."""
        by_target: dict[Target, list[Flight]] = {}
        for flight in flights:
            self._flights.add(flight)
            by_target.setdefault(flight.target, []).append(flight)
        for target, own in by_target.items():
            if self._flights.is_connected(target):
                for flight in own:
                    flight.since = now
                self._ask_and_cancel(target, own)
            else:
                self._flights.lose(target, now)
                self.lost(target, now)

    def connected(self, target: Target, now: float) -> None:
        """A start is there: asks it about its own calls, and about those whose start is over."""
        self._ask_and_cancel(target, [*self._flights.found(target, now), *self._flights.move_to(target, now)])

    def lost(self, target: Target, now: float) -> None:
        """A start is gone; a later one may have come already."""
        later = self._flights.connected_start(target.executor_id)
        if later is not None:
            self._ask_and_cancel(later, self._flights.move_to(later, now))

    def ask(self, target: Target, flights: Sequence[Flight]) -> bool:
        """False: it is not connected."""
        position = self.position(target.executor_id)
        return self._executors.attach(
            target, [Ask(f.call_id, f.recorded_boot, f.proposal.effect, position, f.token) for f in flights]
        )

    def _ask_and_cancel(self, target: Target, flights: Sequence[Flight]) -> None:
        if flights and self.ask(target, flights):
            unwanted = [f.stop for f in flights if not f.current or f.proposal.cancel_requested]
            self._executors.cancel(target, unwanted)
