"""The attempts under way: what was sent where, what it waits for, and what to do when an executor is lost."""

from dataclasses import dataclass
from typing import NamedTuple

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import Effect
from orchestrator_svc.ports.executor import Cancel, Target, Token

MAX_STRAYS = 10_000


class Sent(NamedTuple):
    """A call by its place in its batch, whether that is in memory or not. `target`: who has it, or can tell of it."""

    call_id: str
    tenant: str
    batch_id: str
    key: str
    attempt: int
    target: Target


@dataclass(slots=True, eq=False)
class Flight:
    """One attempt. `sent`: monotonic s; 0: by an earlier start. `held`: a slot is promised, its record is under way.

    `target` is who can say how it ended: the start that it was sent to, or, when that is over, a later one.

    `since`: when its executor last gave a sign of it, or could; 0: when it was sent. `started`: the tool is said to
    run. `asked`: since when its executor is asked what became of it; 0: it is not.
    """

    call_id: str
    batch: Batch
    proposal: Proposal
    attempt: int
    target: Target
    sent: float
    held: bool = False
    since: float = 0.0
    started: bool = False
    asked: float = 0.0

    @property
    def token(self) -> Token:
        """Whose its batch is, as is believed here."""
        return Token(self.batch.epoch, self.batch.incarnation)

    @property
    def stop(self) -> Cancel:
        """What tells its executor to stop it."""
        return Cancel(self.call_id, self.token)

    @property
    def place(self) -> Sent:
        """Where it stands on record."""
        batch = self.batch
        return Sent(self.call_id, batch.tenant, batch.id, self.proposal.key, self.attempt, self.target)

    @property
    def current(self) -> bool:
        """Whether its ending would still say something."""
        state = self.proposal.state
        under_way = state is State.RUNNING or state is State.OUTCOME_UNKNOWN
        return under_way and len(self.proposal.attempts) == self.attempt

    @property
    def was_resolved(self) -> bool:
        """Whether a person said how it ended, before its executor did."""
        attempt = self.proposal.attempts[self.attempt - 1]
        return self.proposal.effect is Effect.NON_IDEMPOTENT and attempt.may_still_run and not self.current

    @property
    def recorded_boot(self) -> str:
        """The start that it was sent to."""
        return self.proposal.attempts[self.attempt - 1].boot_id


class Flights:
    """By call id and by target."""

    def __init__(self) -> None:
        self._by_call: dict[str, Flight] = {}
        self._held: dict[Target, int] = {}
        self._by_target: dict[Target, set[str]] = {}
        self._lost_since: dict[Target, float] = {}
        self._unanswered: dict[str, float] = {}
        self._connected: dict[Target, None] = {}
        self._strays: dict[str, Sent] = {}

    def __len__(self) -> int:
        return len(self._by_call)

    def add(self, flight: Flight) -> None:
        """In place of an earlier one of the same call, wherever that is expected to end."""
        self.pop(flight.call_id)
        self._by_call[flight.call_id] = flight
        self._strays.pop(flight.call_id, None)
        calls = self._by_target.get(flight.target)
        if calls is None:
            calls = self._by_target[flight.target] = set()
        calls.add(flight.call_id)

    def hold(self, flight: Flight) -> None:
        """Promises it a slot until it is sent (`release`) or forgotten."""
        flight.held = True
        self._held[flight.target] = self._held.get(flight.target, 0) + 1

    def release(self, flight: Flight) -> None:
        if flight.held:
            flight.held = False
            self._held[flight.target] -= 1
            if not self._held[flight.target]:
                del self._held[flight.target]

    def held(self, target: Target) -> int:
        """How many slots are promised there."""
        return self._held.get(target, 0)

    def awaits(self, batch: Batch) -> bool:
        """Whether an ending that is still to come would say something."""
        return any(flight.batch is batch and flight.current for flight in self._by_call.values())

    def get(self, call_id: str) -> Flight | None:
        return self._by_call.get(call_id)

    def pop(self, call_id: str) -> Flight | None:
        flight = self._by_call.pop(call_id, None)
        if flight is not None:
            self._unanswered.pop(call_id, None)
            self.release(flight)
            calls = self._by_target[flight.target]
            calls.discard(call_id)
            if not calls:
                del self._by_target[flight.target]
                self._lost_since.pop(flight.target, None)
        return flight

    def of(self, target: Target) -> list[Flight]:
        return [self._by_call[call_id] for call_id in self._by_target.get(target, ())]

    def forget_batch(self, batch_id: str) -> None:
        """It is not in memory any more. Who has it next asks about what was sent; until it does, how that ends is told
        here, where it is a stray's."""
        for flight in [flight for flight in self._by_call.values() if flight.batch.id == batch_id]:
            told_here = flight.target in self._connected and not flight.held
            self.pop(flight.call_id)
            if told_here and flight.proposal.effect is Effect.NON_IDEMPOTENT:
                self._strays[flight.call_id] = flight.place
                if len(self._strays) > MAX_STRAYS:
                    del self._strays[next(iter(self._strays))]

    def pop_stray(self, call_id: str) -> Sent | None:
        return self._strays.pop(call_id, None)

    def lose(self, target: Target, now: float) -> list[Flight]:
        """The stream broke: returns those that need no answer of that executor (they may be sent again).

        All stay, for the case that it comes back: what nobody waits for any more is cancelled and acknowledged then.
        """
        self._connected.pop(target, None)
        for stray in [stray for stray in self._strays.values() if stray.target == target]:
            del self._strays[stray.call_id]
        if target in self._by_target:
            self._lost_since.setdefault(target, now)
        return [f for f in self.of(target) if f.current and f.proposal.effect is not Effect.NON_IDEMPOTENT]

    def found(self, target: Target, now: float) -> list[Flight]:
        """It is back: returns what to ask it about. Each has its time anew."""
        self._connected[target] = None
        self._lost_since.pop(target, None)
        flights = self.of(target)
        for flight in flights:
            flight.since, flight.asked = now, 0.0
        return flights

    def is_connected(self, target: Target) -> bool:
        return target in self._connected

    def connected_start(self, executor_id: str) -> Target | None:
        """The one that connected last."""
        return next((target for target in reversed(self._connected) if target.executor_id == executor_id), None)

    def move_to(self, target: Target, now: float) -> list[Flight]:
        """Those of lost starts of the same executor that only a later start can tell about: they are its from now on.

        Others stay where they were, and are forgotten when their time is over. Those are lost until it has `answered`.
        """
        moved: list[Flight] = []
        for earlier in [earlier for earlier in self._by_target if earlier.executor_id == target.executor_id]:
            if earlier == target or earlier in self._connected:
                continue
            since = self._lost_since.get(earlier, now)
            for flight in self.of(earlier):
                if flight.proposal.effect is Effect.NON_IDEMPOTENT and not flight.held:
                    self.pop(flight.call_id)
                    flight.target, flight.since, flight.asked = target, now, 0.0
                    self.add(flight)
                    self._unanswered[flight.call_id] = since
                    moved.append(flight)
        return moved

    def answered(self, call_id: str) -> None:
        """A later start has said what it knows of it."""
        self._unanswered.pop(call_id, None)

    def heard_of(self) -> list[Flight]:
        """Those that were handed to an executor whose stream is up, and whose ending is waited for."""
        return [
            flight
            for flight in self._by_call.values()
            if not flight.held
            and flight.target not in self._lost_since
            and flight.current
            and flight.proposal.state is State.RUNNING
        ]

    def overdue(self, before: float) -> list[Flight]:
        """RUNNING ones that were sent, and whose executor is lost since before a time (monotonic s). They stay: it may
        answer late."""
        late = [self._by_call[call_id] for call_id, since in self._unanswered.items() if since <= before]
        for flight in late:
            self.answered(flight.call_id)
        for target in [target for target, since in self._lost_since.items() if since <= before]:
            del self._lost_since[target]
            for flight in self.of(target):
                if not flight.current:
                    self.pop(flight.call_id)
                elif flight.proposal.state is State.RUNNING and not flight.held:
                    late.append(flight)
        return late

    def running(self) -> set[str]:
        """Ids of the batches with calls that run."""
        return {f.batch.id for f in self._by_call.values() if f.current and f.proposal.state is State.RUNNING}

    def excuse(self, seconds: float, hearing: float) -> None:
        """Nobody listened for so long: it counts for none of them. What was said meanwhile has `hearing` s to come in
        before any is given up."""
        for target in self._lost_since:
            self._lost_since[target] += seconds + hearing
        for call_id in self._unanswered:
            self._unanswered[call_id] += seconds + hearing
        for flight in self._by_call.values():
            flight.since = flight.since and flight.since + seconds
            flight.sent = flight.sent and flight.sent + seconds
            flight.asked = flight.asked and flight.asked + seconds + hearing

    @property
    def waiting(self) -> bool:
        """Whether any call runs. An outcome that is unknown may come late, or never: nobody waits for it."""
        return any(f.current and f.proposal.state is State.RUNNING for f in self._by_call.values())

    def lost_since(self, flight: Flight) -> float | None:
        """Monotonic s; None: who can tell of it is there, or nothing is awaited of it any more."""
        since = self._unanswered.get(flight.call_id)
        return self._lost_since.get(flight.target) if since is None else since

    def next_overdue(self) -> float | None:
        """Since when the longest lost one is (monotonic s)."""
        return min((*self._lost_since.values(), *self._unanswered.values()), default=None)
