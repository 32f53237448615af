"""What executors say, turned into operations on batches. Unknown, stale and repeated answers change nothing."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from orchestrator_svc.application.engine.flights import Flight, Flights, Sent
from orchestrator_svc.application.engine.late import LateEnding
from orchestrator_svc.application.engine.reattaching import Reattaching
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.firing import lost
from orchestrator_svc.domain.proposal import Attempt, Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.settling import Ending, chunk_received, progressed, settle, started
from orchestrator_svc.domain.tool import Failure, FailureClass, KnownEffect, ToolDescriptor
from orchestrator_svc.ports.executor import (
    Attached,
    CapacityChanged,
    ChunkReceived,
    Connected,
    Ended,
    Executors,
    Looked,
    Lost,
    Progressed,
    Reminded,
    Signal,
    Started,
    Target,
    ToolsSeen,
)
from shared.kernel.clock import Clock

_log = logging.getLogger(__name__)
_NANO = 1_000_000_000
NEVER_SEEN = Failure(
    FailureClass.UNAVAILABLE, KnownEffect.NONE, "NEVER_SEEN", "the executor never got it", refused=True
)

Operation = Callable[[Batch, Changes], None]
Work = dict[Batch, list[Operation]]


class SignalHandler:
    """`on_tools` is told what executors describe."""

    on_looked: Callable[[Looked, Work], None]
    """What an executor's look for an effect found. Set by the engine, as are the next ones."""
    on_late: Callable[[LateEnding], None]
    """What a person had resolved has ended, or a call of a batch that is not in memory, or one that nobody has
    acknowledged for long."""
    on_lost: Callable[[Target], None]
    """A stream broke."""

    def __init__(
        self,
        flights: Flights,
        reattaching: Reattaching,
        executors: Executors,
        clock: Clock,
        on_tools: Callable[[Target, tuple[ToolDescriptor, ...]], None],
    ) -> None:
        self._flights, self._reattaching, self._executors = flights, reattaching, executors
        self._clock, self._on_tools = clock, on_tools
        self._to_acknowledge: dict[str, dict[Target, list[str]]] = {}

    def handle(self, signals: Iterable[Signal]) -> Work:
        work: Work = {}
        for signal in signals:
            match signal:
                case Ended():
                    self._ended(signal, work)
                case Started():
                    self._started(signal, work)
                case Progressed(call_id, fraction, text):
                    self._on_flight(
                        work, call_id, lambda f, x=fraction, t=text: lambda b, c: progressed(c, f.proposal, x, t)
                    )
                case ChunkReceived(call_id, index, chunk):
                    self._on_flight(
                        work, call_id, lambda f, i=index, t=chunk: lambda b, c: chunk_received(c, f.proposal, i, t)
                    )
                case Attached():
                    self._attached(signal, work)
                case Connected(target):
                    self._reattaching.connected(target, self._clock.monotonic())
                case Lost(target):
                    now = self._clock.monotonic()
                    for flight in self._flights.lose(target, now):
                        settle_lost(work, flight, "EXECUTOR_LOST", "the connection to the executor was lost")
                    self._reattaching.lost(target, now)
                    self.on_lost(target)
                case Looked():
                    self.on_looked(signal, work)
                case Reminded():
                    self._reminded(signal)
                case ToolsSeen(target, descriptors):
                    self._on_tools(target, descriptors)
                case CapacityChanged():
                    pass
        return work

    def expect(self, batch: Batch, sent: Iterable[tuple[Proposal, Attempt]]) -> None:
        """Attempts that were sent by an earlier owner of the batch: their executors know of them."""
        flights: list[Flight] = []
        for proposal, attempt in sent:
            target = Target(attempt.executor_id, attempt.boot_id)
            call_id = f"{batch.proposal_id(proposal)}/{attempt.number}"
            flights.append(Flight(call_id, batch, proposal, attempt.number, target, 0.0))
        self._reattaching.expect(flights, self._clock.monotonic())

    def give_up(self, flights: Sequence[Flight]) -> Work:
        """Their executor did not come back in time."""
        work: Work = {}
        for flight in flights:
            if flight.current:
                settle_lost(work, flight, "EXECUTOR_LOST", "the executor did not come back to say how it ended")
        return work

    def acknowledgement(self, batch: Batch) -> Callable[[], None] | None:
        """What tells the executors, once it is on record, that the endings just handled may be forgotten."""
        calls = self._to_acknowledge.pop(batch.id, None)
        if calls is None:
            return None

        def acknowledge() -> None:
            for target, call_ids in calls.items():
                self._executors.acknowledge(target, call_ids)

        return acknowledge

    def _ended(self, signal: Ended, work: Work) -> None:
        flight = self._flights.pop(signal.call_id)
        if flight is None or flight.was_resolved:
            sent = self._flights.pop_stray(signal.call_id) if flight is None else flight.place
            if sent is not None:
                self._reattaching.saw_position(sent.target.executor_id, signal.position)
                self.on_late(LateEnding(sent, signal.ending, signal.position))
            return
        self._to_acknowledge.setdefault(flight.batch.id, {}).setdefault(flight.target, []).append(flight.call_id)
        if not flight.current:  # what made it so may have yet to be recorded
            _append(work, flight, lambda batch, changes: None)
            return
        ending = signal.ending
        if flight.sent and ending.tool is not None:
            elapsed = int((signal.received - flight.sent) * _NANO)
            ending.wire = max(0, elapsed - ending.tool - (ending.executor_queue or 0))
        proposal = flight.proposal
        if flight.asked and not proposal.cancel_requested:
            ending.failure = _of_one_asked(ending.failure)
        if signal.position:
            self._saw_position(work, flight, signal.position)
        _append(work, flight, lambda batch, changes: _settle(batch, changes, flight, proposal, ending))

    def _reminded(self, signal: Reminded) -> None:
        """Where the call is under way here, its executor is asked, or has been heard: that is on its way."""
        if self._flights.get(signal.call_id) is None:
            proposal_id, _, attempt = signal.call_id.rpartition("/")
            batch_id, _, key = proposal_id.partition("/")
            sent = Sent(signal.call_id, signal.tenant, batch_id, key, int(attempt), signal.target)
            self.on_late(LateEnding(sent, signal.ending, signal.position, again=True))

    def _started(self, signal: Started, work: Work) -> None:
        flight = self._flights.get(signal.call_id)
        if flight is None:
            return
        if not flight.started:
            flight.started, flight.since = True, self._clock.monotonic()
        if flight.current:
            if signal.position:
                self._saw_position(work, flight, signal.position)
            _append(work, flight, lambda batch, changes: started(changes, flight.proposal, signal.start_time))

    def _saw_position(self, work: Work, flight: Flight, position: int) -> None:
        """Recorded with what the executor said."""
        executor_id = flight.target.executor_id
        self._reattaching.saw_position(executor_id, position)
        _append(work, flight, lambda batch, changes: changes.saw_position(executor_id, position))

    def _on_flight(self, work: Work, call_id: str, make: Callable[[Flight], Operation]) -> None:
        flight = self._flights.get(call_id)
        if flight is not None and flight.current:
            _append(work, flight, make(flight))

    def _attached(self, signal: Attached, work: Work) -> None:
        flight = self._flights.get(signal.call_id)
        self._flights.answered(signal.call_id)
        if flight is None or signal.state in ("running", "ended"):
            return
        self._flights.pop(signal.call_id)
        if signal.state == "never_seen" and flight.was_resolved:
            self.on_late(LateEnding(flight.place, Ending(None, NEVER_SEEN, over=True), 0))
        elif not flight.current:
            return
        elif signal.state == "never_seen":
            _append(work, flight, lambda b, c: settle(b, c, flight.proposal, Ending(None, NEVER_SEEN)))
        elif flight.proposal.state is State.RUNNING:
            settle_lost(work, flight, "EXECUTOR_CANNOT_SAY", "the executor cannot say what became of it")


def _of_one_asked(failure: Failure | None) -> Failure | None:
    """We stopped it, because nothing was heard of it; nobody else wanted that."""
    if failure is None or failure.failure_class is not FailureClass.CANCELLED:
        return failure
    message = "the executor let its time pass, and stopped it when it was asked"
    return replace(failure, failure_class=FailureClass.UNAVAILABLE, reason="CALL_UNANSWERED", message=message)


def _settle(batch: Batch, changes: Changes, flight: Flight, proposal: Proposal, ending: Ending) -> None:
    if flight.current:
        settle(batch, changes, proposal, ending)


def settle_lost(work: Work, flight: Flight, reason: str, message: str) -> None:
    """Nobody will say how it ended."""

    def operation(batch: Batch, changes: Changes) -> None:
        if flight.current and flight.proposal.state is State.RUNNING:
            lost(batch, changes, flight.proposal, reason, message)

    _append(work, flight, operation)


def _append(work: Work, flight: Flight, operation: Operation) -> None:
    operations = work.get(flight.batch)
    if operations is None:
        work[flight.batch] = [operation]
    else:
        operations.append(operation)
