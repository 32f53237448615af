"""What an orchestrator of the model does: keeps its lease, ends others, takes batches, obeys commands, sends calls;
and the promises that must hold whatever happens between its steps."""

from collections.abc import Iterator

from orchestrator_svc.domain.lifecycle import MOVES
from orchestrator_svc.domain.proposal import ProposalState as State
from tests.unit.model.ownership import (
    RENEWALS,
    STARTS,
    Lease,
    Message,
    Orchestrator,
    Row,
    Rules,
    Step,
    World,
    commit,
    executors,
    faults,
    may_write,
    supersede,
    take,
)

DUE = (State.APPROVED, State.RUNNING)
ENDED = (State.SUCCEEDED, State.OUTCOME_UNKNOWN)


def steps(rules: Rules, world: World) -> Iterator[Step]:
    for who, orchestrator in enumerate(world.orchestrators):
        if orchestrator.start is None:
            if len(world.leases) < STARTS:
                fresh = world._replace(leases=(*world.leases, Lease()))
                yield f"{who} starts", fresh.put(who, Orchestrator(len(world.leases)))
            continue
        for name, after in _orchestrator(rules, world, who, orchestrator, orchestrator.start):
            yield f"{who} {name}", after
    if world.row.state is not State.PROPOSED and world.asked and not world.answered and _anybody(world):
        yield "the client asks for its answer again", world._replace(answered=True)
    yield from executors(rules, world)
    if world.faults:
        yield from faults(world)


def _anybody(world: World) -> bool:
    return any(each.start is not None for each in world.orchestrators)


def _orchestrator(rules: Rules, world: World, who: int, me: Orchestrator, start: int) -> Iterator[Step]:
    yield from _leases(rules, world, who, me, start)
    if me.next is not None:
        yield from _commits(rules, world, who, me, start, me.next)
    elif me.todo:
        what, *rest = me.todo
        yield what, _do(what, world.put(who, me._replace(todo=tuple(rest))), me.copy, start)
    else:
        yield from _commands(rules, world, who, me, start)
        if me.copy is not None and me.copy.owner == start:
            yield from _works(rules, world, who, me, me.copy, start)
        else:
            yield from _takes(rules, world, who, me, start)


def _leases(rules: Rules, world: World, who: int, me: Orchestrator, start: int) -> Iterator[Step]:
    lease = world.leases[start]
    if lease.superseded:
        yield "sees that it was ended", _gone(world, who, start)
    elif lease.counter < RENEWALS:
        renewed = (*world.leases[:start], Lease(lease.counter + 1), *world.leases[start + 1 :])
        yield "renews", world._replace(leases=renewed)
    if me.suspect is not None:
        yield f"ends {me.suspect}", supersede(rules, world.put(who, me._replace(suspect=None)), *me.suspect)
        return
    for other, seen in enumerate(world.leases):
        if other != start and not seen.superseded:
            yield f"sees {other} stand still", world.put(who, me._replace(suspect=(other, seen.counter)))


def _gone(world: World, who: int, start: int) -> World:
    """What it had sent may still come."""
    kept = frozenset(each for each in world.messages if each.start != start or each.kind == "call")
    return world._replace(messages=kept).put(who, Orchestrator(None))


def _commits(rules: Rules, world: World, who: int, me: Orchestrator, start: int, row: Row) -> Iterator[Step]:
    if not may_write(rules, world, start):
        yield "may not write any more", _gone(world, who, start)
        return
    assert me.copy is not None
    after = commit(rules, world, start, me.copy, row)
    lost = me._replace(copy=None, next=None, todo=())
    if after is None:
        yield "loses the batch", world.put(who, lost)
    else:
        yield f"commits {row.state.name}", after.put(who, me._replace(copy=after.row, next=None))


def _takes(rules: Rules, world: World, who: int, me: Orchestrator, start: int) -> Iterator[Step]:
    """What is due and nobody's; asks at once what became of what runs."""
    taken = take(rules, world, start) if world.row.state in DUE and may_write(rules, world, start) else None
    if taken is not None:
        todo = ("attach",) if taken.row.state is State.RUNNING else ()
        yield "takes what is due", taken.put(who, me._replace(copy=taken.row, todo=todo))


def _commands(rules: Rules, world: World, who: int, me: Orchestrator, start: int) -> Iterator[Step]:
    """An approval comes from the client, who may ask again anywhere; or from the other one, by the inbox."""
    if world.row.state is not State.PROPOSED and me.copy is None:
        return
    if world.inbox and world.row.owner == start and me.copy is not None and me.copy.state is State.PROPOSED:
        yield "carries out a command", _moves(rules, world._replace(inbox=False), who, me, State.APPROVED, start)
    if world.asked and world.answered:
        return
    asked = world._replace(asked=True)
    if me.copy is not None and me.copy.state is State.PROPOSED:
        yield "is told to approve", _moves(rules, asked, who, me, State.APPROVED, start, "answer")
    elif me.copy is None:
        taken = take(rules, asked, start) if may_write(rules, world, start) else None
        if taken is not None:
            yield "takes it for a command", taken._replace(inbox=False).put(who, me._replace(copy=taken.row))
        elif world.row.owner not in (None, start) and not world.inbox:
            yield "sends a command", asked._replace(inbox=True)


def _works(rules: Rules, world: World, who: int, me: Orchestrator, row: Row, start: int) -> Iterator[Step]:
    if row.state is State.APPROVED:
        sent = me._replace(copy=row._replace(executor=who, attempt=row.attempt + 1))
        yield f"dispatches to executor {who}", _moves(rules, world, who, sent, State.RUNNING, start, "send")
    if row.state is not State.RUNNING:
        return
    mine = [each for each in world.messages if each.start == start and each.attempt == row.attempt]
    for message in mine:
        rest = world._replace(messages=world.messages - {message})
        to = {"outcome": State.SUCCEEDED, "never_seen": State.APPROVED, "possible": State.OUTCOME_UNKNOWN}
        if message.kind in to:
            yield f"hears {message}", _moves(rules, rest, who, me, to[message.kind], start)
    if not mine:
        yield "asks", _do("attach", world, row, start)


def _moves(rules: Rules, world: World, who: int, me: Orchestrator, to: State, start: int, follows: str = "") -> World:
    """What it means to commit, and to do once that is committed; a rule may be broken, and it does that before.

    What waits for nobody but people is nobody's from that commit on.
    """
    assert me.copy is not None
    believed = me.copy
    assert to in MOVES[State.APPROVED if to is State.RUNNING else believed.state], "a move that the table does not have"
    row = believed._replace(state=to, owner=None if to in ENDED else start)
    in_order = {"send": rules.record_first, "answer": rules.answer_after_commit, "": True}[follows]
    after = world.put(who, me._replace(next=row, todo=(follows,) if follows and in_order else ()))
    return after if in_order else _do(follows, after, row, start)


def _do(what: str, world: World, row: Row | None, start: int) -> World:
    if what == "answer":
        return world._replace(answered=True)
    assert row is not None
    kind = "call" if what == "send" else what
    return world._replace(messages=world.messages | {Message(kind, row.attempt, row.executor, start)})


def broken(rules: Rules, world: World) -> Iterator[str]:
    """The promises that do not hold in a state."""
    row = world.row
    if world.effects > 1:
        yield "an effect twice"
    if world.answered and row.state is State.PROPOSED:
        yield "an answered approval lost"
    if row.state is State.SUCCEEDED and not world.effects:
        yield "a success that never was"
    if world.wrong:
        yield world.wrong
    if row.owner is not None and world.leases[row.owner].superseded:
        yield "a batch of one that has ended"
    quiet = world._replace(faults=0)
    if row.state not in ENDED and world.asked and _anybody(world) and not any(True for _ in steps(rules, quiet)):
        yield "stuck"
