"""Sending: takes from the lanes what the executors have room for, and makes calls of it.

READ goes out at once, its record follows. IDEMPOTENT and NON_IDEMPOTENT go out when the attempt is on record; so does
whatever a submission or a decision makes ready, for those are committed first anyway.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from orchestrator_svc.application.engine.dispatcher import Dispatcher, Lane, Ready
from orchestrator_svc.application.engine.flights import Flight, Flights
from orchestrator_svc.application.engine.leases import Tenure
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.digest import idempotency_key
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.settling import Ending, dispatch, settle
from orchestrator_svc.domain.tool import Effect, Failure, FailureClass, KnownEffect, ToolKey
from orchestrator_svc.ports.executor import Call, Executors, Origin, Target
from orchestrator_svc.ports.observer import Observer
from shared.kernel.clock import Clock

CHUNK = 64
DRAWS = 4
SLICE = 256
AHEAD = 512
_NANO = 1_000_000_000


@dataclass(slots=True, eq=False)
class Sending:
    """One batch's dispatches of one step: what to record, and what to send once it is recorded."""

    changes: Changes
    durable: dict[Target, list[Call]] = field(default_factory=dict[Target, list[Call]])
    send: Callable[[], None] | None = None


class Sender:
    """What is promised to targets but not sent yet counts against their slots, so that none is promised twice.

    Nothing is sent while `tenure` does not hold: what was recorded meanwhile waits for `go_on`.
    """

    def __init__(
        self,
        flights: Flights,
        dispatcher: Dispatcher,
        executors: Executors,
        observer: Observer,
        clock: Clock,
        tenure: Tenure,
    ) -> None:
        self._flights, self._dispatcher, self._executors = flights, dispatcher, executors
        self._observer, self._clock = observer, clock
        self._origins: dict[str, Origin] = {}
        self._unsent: list[Flight] = []
        self._held_back: list[dict[Target, list[Call]]] = []
        self._tenure = tenure
        self.more = False

    def dispatch(
        self, begin: Callable[[Batch], Changes], on_fault: Callable[[Batch, Exception], None]
    ) -> list[Sending]:
        """Fills free slots, a chunk a lane in turn, at most a slice in all: `more` says whether there may be more."""
        work: dict[str, Sending] = {}
        left, served = SLICE, True
        while left > 0 and served:
            served = False
            for lane in self._dispatcher.lanes():
                count = self._serve(lane, min(CHUNK, left), begin, work, on_fault)
                left -= count
                served = served or count > 0
                if left <= 0:
                    break
        self.more = left <= 0
        sendings = list(work.values())
        for sending in sendings:
            if sending.durable:
                sending.send = partial(self._send, sending.durable)
        return sendings

    def ahead(self, changes: Changes) -> Callable[[], None] | None:
        """Puts first attempts into the change that made them ready, as far as they fit and nobody is before them.

        One record instead of two; what it returns sends them, once that record is there.
        """
        sending = Sending(changes)
        places: dict[ToolKey, tuple[Target, int]] = {}
        waiting: list[Proposal] = []
        for position, proposal in enumerate(changes.ready):
            place = places.get(proposal.tool)
            if place is None and position < AHEAD and not self._dispatcher.queued(proposal.tool):
                place = self._choose(proposal.tool)
            if place is None or position >= AHEAD:
                waiting.append(proposal)
                continue
            target, room = place
            self._promise(sending, proposal, target)
            if room > 1:
                places[proposal.tool] = (target, room - 1)
            else:
                places.pop(proposal.tool, None)
        changes.ready = waiting
        return partial(self._send, sending.durable) if sending.durable else None

    def _promise(self, sending: Sending, proposal: Proposal, target: Target) -> None:
        """An attempt that goes out when it is on record."""
        batch = sending.changes.batch
        dispatch(batch, sending.changes, proposal, target.executor_id, target.boot_id, 0)
        call = self._call(batch, proposal)
        flight = Flight(call.id, batch, proposal, call.attempt, target, self._clock.monotonic())
        self._flights.add(flight)
        self._flights.hold(flight)
        sending.durable.setdefault(target, []).append(call)

    def _serve(
        self,
        lane: Lane,
        most: int,
        begin: Callable[[Batch], Changes],
        work: dict[str, Sending],
        on_fault: Callable[[Batch, Exception], None],
    ) -> int:
        """Returns how many it took from the lane."""
        choice = self._choose(lane.tool) if lane.count else None
        if choice is None:
            if lane.count and not self._executors.serves(lane.tool):
                lane.unserved_since = lane.unserved_since or self._clock.monotonic()
            return 0
        lane.unserved_since = None
        target, room = choice
        taken, calls = lane.take(min(room, most)), list[Call]()
        self._dispatcher.served(lane)
        faulty: set[Batch] = set()
        for ready in taken:
            self._dispatcher.left(ready)
            if ready.stale or ready.batch in faulty:
                continue
            try:
                self._send_one(ready, target, begin, work, calls)
            except Exception as error:
                faulty.add(ready.batch)
                work.pop(ready.batch.id, None)
                on_fault(ready.batch, error)
        if faulty:
            calls = [call for call in calls if self._flights.get(call.id) is not None]
        self._hand_over(target, calls)
        return len(taken)

    def _choose(self, tool: ToolKey) -> tuple[Target, int] | None:
        """A target with room beside what is promised to it; a full one is drawn again, a few times."""
        for _ in range(DRAWS):
            choice = self._executors.choose(tool)
            if choice is None:
                return None
            target, free = choice
            room = free - self._flights.held(target)
            if room > 0:
                return target, room
        return None

    def _send_one(
        self,
        ready: Ready,
        target: Target,
        begin: Callable[[Batch], Changes],
        work: dict[str, Sending],
        at_once: list[Call],
    ) -> None:
        batch, proposal, since, _ = ready
        sending = work.get(batch.id)
        if sending is None:
            sending = work[batch.id] = Sending(begin(batch))
        now = self._clock.monotonic()
        dispatch(
            batch, sending.changes, proposal, target.executor_id, target.boot_id, max(0, int((now - since) * _NANO))
        )
        call = self._call(batch, proposal)
        flight = Flight(call.id, batch, proposal, call.attempt, target, now)
        self._flights.add(flight)
        if proposal.effect is Effect.READ and proposal.references is None:
            at_once.append(call)
        else:
            self._flights.hold(flight)
            sending.durable.setdefault(target, []).append(call)

    def _call(self, batch: Batch, proposal: Proposal) -> Call:
        return self.call(batch, proposal, self._observer.dispatching(batch, proposal))

    def call(self, batch: Batch, proposal: Proposal, span_id: bytes = b"") -> Call:
        """Its last attempt, as it is sent."""
        proposal_id = f"{batch.id}/{proposal.key}"
        attempt = len(proposal.attempts)
        return Call(
            f"{proposal_id}/{attempt}",
            self._origin(batch),
            proposal.tool,
            proposal.bound_arguments,
            proposal.bound_digest,
            proposal.idempotency_key or idempotency_key(batch.tenant, proposal_id, proposal.bound_digest),
            attempt,
            proposal.agent,
            proposal.timeout,
            span_id,
        )

    def _origin(self, batch: Batch) -> Origin:
        origin = self._origins.get(batch.id)
        if origin is None or origin.epoch != batch.epoch:
            if len(self._origins) > 10_000:
                self._origins.clear()
            origin = self._origins[batch.id] = Origin(
                batch.tenant,
                batch.principal,
                batch.session_id,
                batch.context,
                batch.id,
                batch.labels,
                batch.trace_id,
                batch.epoch,
                batch.incarnation,
            )
        return origin

    def _send(self, durable: dict[Target, list[Call]]) -> None:
        """Handed out bound to its calls, not as a function that names itself: a cycle would keep all that it holds
        until the collector comes by."""
        if not self._tenure.holds:
            self._held_back.append(durable)
            return
        for target, calls in durable.items():
            self._hand_over(target, [call for call in calls if self._still_due(call)])

    def take_back(self, changes: Changes) -> None:
        """Of what is to stop: what was not handed over yet never will be, and nobody has to be asked about it.

        Every step ends with it; a command whose answer tells of it asks for it before.
        """
        for proposal in changes.stops:
            flight = self._flights.get(changes.batch.call_id(proposal))
            if flight is not None and flight.held:
                self._flights.pop(flight.call_id)
                _never_sent(proposal)(changes.batch, changes)

    def go_on(self) -> None:
        """Sends what was held back, as far as it is still this start's to send."""
        held, self._held_back = self._held_back, []
        for durable in held:
            self._send(durable)

    def _still_due(self, call: Call) -> bool:
        """Not where it was taken back or settled, or its batch forgotten (and taken anew), while it waited."""
        flight = self._flights.get(call.id)
        if flight is None or not flight.held:
            return False
        self._flights.release(flight)
        flight.sent = self._clock.monotonic()
        return True

    def _hand_over(self, target: Target, calls: list[Call]) -> None:
        if calls and not self._executors.send(target, calls):
            for call in calls:
                flight = self._flights.pop(call.id)
                if flight is not None:
                    self._unsent.append(flight)

    def take_unsent(self) -> dict[Batch, list[Callable[[Batch, Changes], None]]]:
        """Those whose executor went away before they were handed to the transport."""
        work: dict[Batch, list[Callable[[Batch, Changes], None]]] = {}
        unsent, self._unsent = self._unsent, []
        for flight in unsent:
            if flight.current:
                work.setdefault(flight.batch, []).append(_never_sent(flight.proposal))
        return work


def _never_sent(proposal: Proposal) -> Callable[[Batch, Changes], None]:
    if proposal.cancel_requested:
        failure_class, reason, message = FailureClass.CANCELLED, "CANCELLED", "cancelled before it was sent"
    else:
        failure_class, reason = FailureClass.UNAVAILABLE, "EXECUTOR_LOST"
        message = "the executor went away first"
    failure = Failure(failure_class, KnownEffect.NONE, reason, message, refused=True)
    return lambda batch, changes: settle(batch, changes, proposal, Ending(None, failure))
