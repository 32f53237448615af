"""A model of whose a batch is: two orchestrators on a store, leases, one NON_IDEMPOTENT proposal, two executors.

Each orchestrator may stand still between any two of its steps, for as long as it takes the other to end it, and may be
killed and started anew. Executors keep journals. What an orchestrator does by itself is in `owning`; this file has the
store, the leases and the executors.
"""

from collections.abc import Iterator
from typing import NamedTuple

from orchestrator_svc.domain.proposal import ProposalState as State

Step = tuple[str, "World"]
RENEWALS, STARTS = 1, 2


class Rules(NamedTuple):
    """As it is built; a mutation is another value of one of them."""

    fence: bool = True
    guard_epoch: bool = True
    take_raises_epoch: bool = True
    supersede_looks_at_counter: bool = True
    superseded_batches_are_freed: bool = True
    record_first: bool = True
    answer_after_commit: bool = True
    never_seen_fences: bool = True


class Row(NamedTuple):
    """The batch on record. `owner`: an incarnation; None: nobody's."""

    state: State = State.PROPOSED
    attempt: int = 0
    executor: int = 0
    owner: int | None = None
    epoch: int = 1
    head: int = 1


class Lease(NamedTuple):
    counter: int = 0
    superseded: bool = False


class Orchestrator(NamedTuple):
    """Its start (None: not running), the batch as it knows it, what it is committing, and what it does after that.

    `suspect`: a start whose counter it has seen stand still, with that counter.
    """

    start: int | None
    copy: Row | None = None
    next: Row | None = None
    todo: tuple[str, ...] = ()
    suspect: tuple[int, int] | None = None


class Message(NamedTuple):
    """`start`: of the orchestrator that it is from, or for."""

    kind: str
    attempt: int
    executor: int
    start: int


class Call(NamedTuple):
    """At an executor: running | done | ended | died. `start`: whom it tells."""

    attempt: int
    executor: int
    status: str
    start: int


class World(NamedTuple):
    """`recorder`: who wrote, or took, the batch first in its epoch. `wrong`: what must never be, and was."""

    row: Row = Row()
    leases: tuple[Lease, ...] = (Lease(), Lease())
    orchestrators: tuple[Orchestrator, ...] = (Orchestrator(0, Row()), Orchestrator(1))
    asked: bool = False
    inbox: bool = False
    answered: bool = False
    messages: frozenset[Message] = frozenset()
    calls: frozenset[Call] = frozenset()
    fenced: frozenset[tuple[int, int]] = frozenset()
    effects: int = 0
    faults: int = 2
    recorder: int = 0
    wrong: str = ""

    def put(self, who: int, orchestrator: Orchestrator) -> "World":
        changed = (*self.orchestrators[:who], orchestrator, *self.orchestrators[who + 1 :])
        return self._replace(orchestrators=changed)

    def lives(self, start: int) -> bool:
        return any(each.start == start for each in self.orchestrators)


# -- the store: each of these is one transaction


def may_write(rules: Rules, world: World, start: int) -> bool:
    """The fence that each transaction begins with."""
    return not world.leases[start].superseded or not rules.fence


def commit(rules: Rules, world: World, start: int, believed: Row, row: Row) -> World | None:
    """None: the batch is lost to this start."""
    now = world.row
    same = now.epoch == believed.epoch and now.owner in (None, start)
    if now.head != believed.head or (rules.guard_epoch and not same):
        return None
    return _recorded(world, start, row._replace(epoch=now.epoch, head=now.head + 1))


def take(rules: Rules, world: World, start: int) -> World | None:
    if world.row.owner is not None:
        return None
    if not rules.take_raises_epoch:
        return _recorded(world, start, world.row._replace(owner=start))
    return world._replace(row=world.row._replace(owner=start, epoch=world.row.epoch + 1), recorder=start)


def _recorded(world: World, start: int, row: Row) -> World:
    wrong = world.wrong or ("" if world.recorder == start else "two recorders in one epoch")
    return world._replace(row=row, wrong=wrong)


def supersede(rules: Rules, world: World, start: int, counter: int) -> World:
    lease = world.leases[start]
    moved = lease.counter != counter
    if lease.superseded or (moved and rules.supersede_looks_at_counter):
        return world
    wrong = world.wrong or ("one that lives is ended" if moved else "")
    leases = (*world.leases[:start], lease._replace(superseded=True), *world.leases[start + 1 :])
    row = world.row
    if row.owner == start and rules.superseded_batches_are_freed:
        row = row._replace(owner=None)
    return world._replace(leases=leases, row=row, wrong=wrong)


# -- the executors


def executors(rules: Rules, world: World) -> Iterator[Step]:
    for message in world.messages:
        rest = world._replace(messages=world.messages - {message})
        if message.kind == "call":
            yield f"{message} comes", _called(rest, message)
        elif message.kind == "attach":
            yield f"{message} comes", _attached(rules, rest, message)
    for call in world.calls:
        others = world.calls - {call}
        if call.status == "running":
            done = others | {call._replace(status="done")}
            yield f"the effect of {call}", world._replace(calls=done, effects=world.effects + 1)
        elif call.status == "done":
            ended = world._replace(calls=others | {call._replace(status="ended")})
            yield f"{call} ends", _told(ended, Message("outcome", call.attempt, call.executor, call.start))


def _called(world: World, call: Message) -> World:
    """One that it knows, or has said never to have seen, is not run (again)."""
    known = {(each.attempt, each.executor) for each in world.calls} | world.fenced
    if (call.attempt, call.executor) in known:
        return world
    return world._replace(calls=world.calls | {Call(call.attempt, call.executor, "running", call.start)})


def _attached(rules: Rules, world: World, ask: Message) -> World:
    """Who asked last is told."""
    key = (ask.attempt, ask.executor)
    found = [call for call in world.calls if (call.attempt, call.executor) == key]
    for call in found:
        world = world._replace(calls=world.calls - {call} | {call._replace(start=ask.start)})
        answers = {"ended": "outcome", "died": "possible"}
        return _told(world, ask._replace(kind=answers[call.status])) if call.status in answers else world
    if rules.never_seen_fences:
        world = world._replace(fenced=world.fenced | {key})
    return _told(world, ask._replace(kind="never_seen"))


def _told(world: World, message: Message) -> World:
    return world._replace(messages=world.messages | {message}) if world.lives(message.start) else world


# -- faults


def faults(world: World) -> Iterator[Step]:
    """What was sent before a fault comes late, or is lost; what was on its way back is lost."""
    hit = world._replace(faults=world.faults - 1)
    for who, orchestrator in enumerate(world.orchestrators):
        if orchestrator.start is not None:
            for name, after in _parted(hit, orchestrator.start, None):
                yield f"orchestrator {who} is killed{name}", after.put(who, Orchestrator(None))
    for executor in (0, 1):
        for name, after in _parted(hit, None, executor):
            yield f"executor {executor} is killed{name}", _reboot(after, executor)


def _parted(world: World, start: int | None, executor: int | None) -> Iterator[Step]:
    """One orchestrator's links, or one executor's."""
    cut = {each for each in world.messages if start in (None, each.start) and executor in (None, each.executor)}
    late = frozenset(each for each in cut if each.kind == "call")
    rest = world.messages - cut
    yield "", world._replace(messages=rest)
    if late:
        yield ", its frames come late", world._replace(messages=rest | late)


def _reboot(world: World, executor: int) -> World:
    """Its journal holds what was accepted, and how it ended if it did."""
    died = {"running": "died", "done": "died"}
    calls = (
        call._replace(status=died.get(call.status, call.status)) if call.executor == executor else call
        for call in world.calls
    )
    return world._replace(calls=frozenset(calls))
