"""A model of one NON_IDEMPOTENT proposal: its owner, the store, the link and the executor; each may stop at any step.

The owner commits what it decides, and only then does what follows from it. Messages come in any order; those of a
stream that broke come late, or never. The executor may begin anew: without a journal it then knows nothing.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from orchestrator_svc.domain.lifecycle import MOVES
from orchestrator_svc.domain.proposal import ProposalState as State

Messages = frozenset[tuple[str, int, int]]
"""(kind, attempt, boot of the executor)."""


class Rules(NamedTuple):
    """As it is built; a mutation is another value of one of them."""

    record_first: bool = True
    answer_after_commit: bool = True
    publish_after_commit: bool = True
    reattach: bool = True
    named_boot_only: bool = True
    never_seen_fences: bool = True
    acknowledge_after_commit: bool = True
    keep_until_acknowledged: bool = True
    journal: bool = False
    journal_before_start: bool = True


class Row(NamedTuple):
    """What is on record. `version` counts commits."""

    state: State = State.PROPOSED
    attempt: int = 0
    boot: int = 0
    version: int = 0


class Owner(NamedTuple):
    """Its memory: what is on record as it knows, what it is committing, and what it does after that."""

    row: Row
    next: Row | None = None
    todo: tuple[str, ...] = ()


class World(NamedTuple):
    """`calls`: (attempt, running | done | ended | died). `faults`: how many more there may be."""

    store: Row = Row()
    owner: Owner | None = Owner(Row())
    answered: bool = False
    published: int = 0
    to_executor: Messages = frozenset()
    to_owner: Messages = frozenset()
    boot: int = 1
    calls: frozenset[tuple[int, str]] = frozenset()
    fenced: frozenset[int] = frozenset()
    effects: int = 0
    faults: int = 3


Step = tuple[str, World]


def steps(rules: Rules, world: World) -> Iterator[Step]:
    owner = world.owner
    if owner is None:
        yield "the orchestrator starts", _started(rules, world)
    else:
        yield from _owner(rules, world, owner)
    yield from _executor(rules, world)
    if world.faults:
        yield from _faults(rules, world)


def _owner(rules: Rules, world: World, owner: Owner) -> Iterator[Step]:
    if owner.next is not None:
        row = owner.next
        yield f"commit {row.state.name}", world._replace(store=row, owner=Owner(row, None, owner.todo))
    elif owner.todo:
        what, *rest = owner.todo
        world = world._replace(owner=owner._replace(todo=tuple(rest)))
        possible = what != "attach" or _may_ask(rules, world, owner.row)
        yield what, _do(what, world, owner.row) if possible else world
    else:
        yield from _decides(rules, world, owner.row)
        for message in world.to_owner:
            yield f"hears {message}", _hears(rules, world, owner.row, message)


def _decides(rules: Rules, world: World, row: Row) -> Iterator[Step]:
    if row.state is State.PROPOSED:
        yield "approve", _moves(rules, world, row._replace(state=State.APPROVED), "answer")
    elif row.state is State.APPROVED:
        running = row._replace(state=State.RUNNING, attempt=row.attempt + 1, boot=world.boot)
        yield "dispatch", _moves(rules, world, running, "send")
    elif row.state is State.RUNNING and row.boot != world.boot:
        if not _may_ask(rules, world, row):
            yield "the window is over", _moves(rules, world, row._replace(state=State.OUTCOME_UNKNOWN))
        elif not any(attempt == row.attempt for _, attempt, _ in world.to_executor | world.to_owner):
            yield "attach to the next start", _do("attach", world, row)


def _may_ask(rules: Rules, world: World, row: Row) -> bool:
    """Without a journal, only that start of the executor which got the call."""
    return row.boot == world.boot or rules.journal or not rules.named_boot_only


def _moves(rules: Rules, world: World, to: Row, follows: str = "") -> World:
    """What it means to commit, and to do once that is committed; a rule may be broken, and it does that before."""
    assert world.owner is not None
    assert to.state in MOVES[world.owner.row.state], "a move that the table does not have"
    to = to._replace(version=world.store.version + 1)
    before: list[str] = []
    after = [each for each in (follows, "publish") if each]
    in_order = {
        "send": rules.record_first,
        "answer": rules.answer_after_commit,
        "publish": rules.publish_after_commit,
        "acknowledge": rules.acknowledge_after_commit,
    }
    for each in list(after):
        if not in_order[each]:
            after.remove(each)
            before.append(each)
    world = world._replace(owner=world.owner._replace(next=to, todo=tuple(after)))
    for each in before:
        world = _do(each, world, to)
    return world


def _do(what: str, world: World, row: Row) -> World:
    match what:
        case "answer":
            return world._replace(answered=True)
        case "publish":
            return world._replace(published=row.version)
        case "send":
            return world._replace(to_executor=world.to_executor | {("call", row.attempt, row.boot)})
        case "acknowledge":
            return world._replace(to_executor=world.to_executor | {("ack", row.attempt, row.boot)})
        case _:
            return world._replace(to_executor=world.to_executor | {("attach", row.attempt, world.boot)})


def _hears(rules: Rules, world: World, row: Row, message: tuple[str, int, int]) -> World:
    kind, attempt, _ = message
    world = world._replace(to_owner=world.to_owner - {message})
    if attempt != row.attempt or row.state not in (State.RUNNING, State.OUTCOME_UNKNOWN):
        return world
    if kind == "outcome":
        return _moves(rules, world, row._replace(state=State.SUCCEEDED), "acknowledge")
    if row.state is State.OUTCOME_UNKNOWN:
        return world
    to = State.APPROVED if kind == "never_seen" else State.OUTCOME_UNKNOWN
    return _moves(rules, world, row._replace(state=to))


def _started(rules: Rules, world: World) -> World:
    row = world.store
    owner = Owner(row, None, ("publish",))
    if row.state not in (State.RUNNING, State.OUTCOME_UNKNOWN):
        return world._replace(owner=owner)
    if not rules.reattach:
        todo = ("send",) if row.state is State.RUNNING else ()
        return world._replace(owner=owner._replace(row=row._replace(boot=world.boot), todo=todo))
    return world._replace(owner=owner._replace(todo=("attach", "publish")))


def _executor(rules: Rules, world: World) -> Iterator[Step]:
    for message in world.to_executor:
        kind, attempt, boot = message
        rest = world._replace(to_executor=world.to_executor - {message})
        if boot != world.boot:
            yield f"{message} comes to nobody", rest
        elif kind == "call":
            yield f"{message} comes", _called(rest, attempt)
        elif kind == "ack":
            yield f"{message} comes", rest._replace(calls=rest.calls - {(attempt, "ended")})
        else:
            yield f"{message} comes", _attached(rules, rest, attempt)
    for attempt, status in world.calls:
        others = world.calls - {(attempt, status)}
        if status == "running":
            yield "the effect", world._replace(calls=others | {(attempt, "done")}, effects=world.effects + 1)
        elif status == "done":
            kept = others | {(attempt, "ended")} if rules.keep_until_acknowledged else others
            outcome = world.to_owner | {("outcome", attempt, world.boot)} if world.owner else world.to_owner
            yield "the call ends", world._replace(calls=kept, to_owner=outcome)


def _called(world: World, attempt: int) -> World:
    """A call that it knows, or has said never to have seen, is not run (again)."""
    if attempt in world.fenced or any(attempt == known for known, _ in world.calls):
        return world
    return world._replace(calls=world.calls | {(attempt, "running")})


def _attached(rules: Rules, world: World, attempt: int) -> World:
    status = dict(world.calls).get(attempt, "")
    if status in ("running", "done"):
        return world
    answer = {"ended": "outcome", "died": "possible"}.get(status, "never_seen")
    if answer == "never_seen" and rules.never_seen_fences:
        world = world._replace(fenced=world.fenced | {attempt})
    if world.owner is None:
        return world
    return world._replace(to_owner=world.to_owner | {(answer, attempt, world.boot)})


def _faults(rules: Rules, world: World) -> Iterable[Step]:
    """What was on its way to the executor comes late, or is lost; what was on its way to the owner is lost."""
    hit = world._replace(faults=world.faults - 1, to_owner=frozenset())
    for kept in {world.to_executor, frozenset()}:
        late = " late" if kept else ""
        if world.owner is not None:
            yield f"the orchestrator is killed{late}", hit._replace(owner=None, to_executor=kept)
            row, todo = world.owner.row, world.owner.todo
            under_way = row.state is State.RUNNING and row.boot == world.boot and "send" not in todo
            again = ("attach",) if under_way and "attach" not in todo else ()
            cut = world.owner._replace(todo=(*todo, *again))
            yield f"the stream breaks{late}", hit._replace(owner=cut, to_executor=kept)
        yield f"the executor is killed{late}", _reboot(rules, hit._replace(to_executor=kept))


def _reboot(rules: Rules, world: World) -> World:
    known = frozenset[tuple[int, str]]()
    if rules.journal:
        died = {"running": "died", "done": "died"} if rules.journal_before_start else {"running": "", "done": ""}
        known = frozenset((attempt, died.get(status, status)) for attempt, status in world.calls)
        known = frozenset(call for call in known if call[1])
    fenced = world.fenced if rules.journal else frozenset[int]()
    return world._replace(boot=world.boot + 1, calls=known, fenced=fenced)


def broken(rules: Rules, world: World) -> Iterator[str]:
    """The promises that do not hold in a state."""
    store = world.store
    if world.effects > 1:
        yield "an effect twice"
    if store.state is State.SUCCEEDED and not world.effects:
        yield "a success that never was"
    if world.answered and store.state is State.PROPOSED:
        yield "an answered approval lost"
    if world.published > store.version:
        yield "an event that is not on record"
    if store.state is State.OUTCOME_UNKNOWN and not _excused(world):
        yield "unknown, though it could be known"
    if not any(True for _ in steps(rules, world._replace(faults=0))) and store.state not in (
        State.SUCCEEDED,
        State.OUTCOME_UNKNOWN,
    ):
        yield "stuck"


def _excused(world: World) -> bool:
    """The executor that it was sent to died: before it could tell, or, without a journal, at all."""
    return world.store.boot < world.boot
