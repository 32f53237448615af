"""Sending: takes from the lanes what the executors have room for, and makes calls of it.

READ goes out at once, its record follows. IDEMPOTENT and NON_IDEMPOTENT go out when the attempt is on record.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator_svc.application.engine.dispatcher import Dispatcher, Lane, Ready
from orchestrator_svc.application.engine.flights import Flight, Flights
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.digest import idempotency_key
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.settling import Ending, dispatch, settle
from orchestrator_svc.domain.tool import Effect, Failure, FailureClass, KnownEffect
from orchestrator_svc.ports.executor import Call, Executors, Origin, Target
from orchestrator_svc.ports.observer import Observer
from shared.kernel.clock import Clock

CHUNK = 64
DRAWS = 4
_NANO = 1_000_000_000


@dataclass(slots=True, eq=False)
class Sending:
    """One batch's dispatches of one step: what to record, and what to send once it is recorded."""

    changes: Changes
    durable: dict[Target, list[Call]] = field(default_factory=dict[Target, list[Call]])
    send: Callable[[], None] | None = None


class Sender:
    """Counts what it has promised to targets but not sent yet, so that slots are not promised twice."""

    def __init__(
        self, flights: Flights, dispatcher: Dispatcher, executors: Executors, observer: Observer, clock: Clock
    ) -> None:
        self._flights, self._dispatcher, self._executors = flights, dispatcher, executors
        self._observer, self._clock = observer, clock
        self._held: dict[Target, int] = {}
        self._origins: dict[str, Origin] = {}
        self._unsent: list[Flight] = []

    def dispatch(
        self, begin: Callable[[Batch], Changes], on_fault: Callable[[Batch, Exception], None]
    ) -> list[Sending]:
        """Fills the free slots, lane by lane."""
        work: dict[str, Sending] = {}
        for lane in self._dispatcher.lanes():
            self._serve(lane, begin, work, on_fault)
        sendings = list(work.values())
        for sending in sendings:
            if sending.durable:
                sending.send = self._sender_of(sending)
        return sendings

    def _serve(
        self,
        lane: Lane,
        begin: Callable[[Batch], Changes],
        work: dict[str, Sending],
        on_fault: Callable[[Batch, Exception], None],
    ) -> None:
        while lane.count:
            choice = self._choose(lane)
            if choice is None:
                if not self._executors.serves(lane.tool):
                    lane.unserved_since = lane.unserved_since or self._clock.monotonic()
                return
            lane.unserved_since = None
            target, room = choice
            calls: list[Call] = []
            for ready in lane.take(min(room, CHUNK)):
                self._dispatcher.left(ready)
                if ready.proposal.state is not State.APPROVED:
                    continue
                try:
                    self._send_one(ready, target, begin, work, calls)
                except Exception as error:
                    work.pop(ready.batch.id, None)
                    on_fault(ready.batch, error)
            self._hand_over(target, calls)

    def _choose(self, lane: Lane) -> tuple[Target, int] | None:
        """A target with room beside what is promised to it; a full one is drawn again, a few times."""
        for _ in range(DRAWS):
            choice = self._executors.choose(lane.tool)
            if choice is None:
                return None
            target, free = choice
            room = free - self._held.get(target, 0)
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
        batch, proposal, since = ready
        sending = work.get(batch.id)
        if sending is None:
            sending = work[batch.id] = Sending(begin(batch))
        now = self._clock.monotonic()
        dispatch(
            batch, sending.changes, proposal, target.executor_id, target.boot_id, max(0, int((now - since) * _NANO))
        )
        call = self._call(batch, proposal)
        self._flights.add(Flight(call.id, batch, proposal, call.attempt, target, now))
        if proposal.effect is Effect.READ:
            at_once.append(call)
        else:
            self._held[target] = self._held.get(target, 0) + 1
            sending.durable.setdefault(target, []).append(call)

    def _call(self, batch: Batch, proposal: Proposal) -> Call:
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
            self._observer.dispatching(batch, proposal),
        )

    def _origin(self, batch: Batch) -> Origin:
        origin = self._origins.get(batch.id)
        if origin is None:
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

    def _sender_of(self, sending: Sending) -> Callable[[], None]:
        def send() -> None:
            for target, calls in sending.durable.items():
                self._held[target] -= len(calls)
                if not self._held[target]:
                    del self._held[target]
                self._hand_over(target, [call for call in calls if self._flights.get(call.id) is not None])

        return send

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

    def queue_timeouts(self, now: float, timeout: float) -> dict[Batch, list[Callable[[Batch, Changes], None]]]:
        """Those for whose tool no executor was connected for too long."""
        work: dict[Batch, list[Callable[[Batch, Changes], None]]] = {}
        for lane in self._dispatcher.lanes():
            if lane.unserved_since is None or self._executors.serves(lane.tool):
                continue
            for ready in lane.overdue(now - timeout):
                self._dispatcher.left(ready)
                if ready.proposal.state is State.APPROVED:
                    work.setdefault(ready.batch, []).append(_timed_out(ready.proposal, timeout))
        return work


def _timed_out(proposal: Proposal, timeout: float) -> Callable[[Batch, Changes], None]:
    message = f"no executor with {proposal.tool} was connected for {timeout:g} s"
    failure = Failure(FailureClass.UNAVAILABLE, KnownEffect.NONE, "QUEUE_TIMEOUT", message)

    def operation(batch: Batch, changes: Changes) -> None:
        batch.fail(changes, proposal, failure)
        batch.ended(changes, proposal)

    return operation


def _never_sent(proposal: Proposal) -> Callable[[Batch, Changes], None]:
    failure = Failure(
        FailureClass.UNAVAILABLE, KnownEffect.NONE, "EXECUTOR_LOST", "the executor went away first", refused=True
    )
    return lambda batch, changes: settle(batch, changes, proposal, Ending(None, failure))
