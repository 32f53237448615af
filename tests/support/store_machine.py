"""Orchestrators do anything to a store, in any order, and it does what the model of it does (`store_model`)."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes, CommandRecord
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import Tier
from orchestrator_svc.ports.commands import CommandId, SentCommand
from orchestrator_svc.ports.ownership import Elsewhere, Lease
from shared.kernel.errors import PreconditionError, UnavailableError
from tests.support.batches import MINUTE, START, AnyArguments, Builder, judged, write
from tests.support.store_model import Outcome, Start, StoreModel
from tests.support.stores import Opener, WholeStore

T = TypeVar("T")
Make = Callable[[str], Opener]
World = Callable[[AsyncExitStack], Awaitable[Make]]
MOST_STARTS, ANY, SECOND = 4, st.integers(0, 1 << 16), 1_000_000_000
REQUESTS = st.sampled_from(["r1", "r2", "r3"])
FENCED = Outcome.FENCED


class Stores(RuleBasedStateMachine):
    """Several starts, as many at a time as the store allows, each with its copies of batches, some of them stale."""

    world: World
    shared: bool

    def __init__(self) -> None:
        super().__init__()
        self.runner, self.stack = asyncio.Runner(), AsyncExitStack()
        self.make = self.run(type(self).world(self.stack))
        self.model = StoreModel()
        self.openers: dict[str, Opener] = {}
        self.stores: dict[str, WholeStore] = {}
        self.copies: dict[str, dict[str, Builder]] = {}
        self.parts: dict[tuple[str, str], list[Changes]] = {}
        self.now = START
        self.begin()

    def teardown(self) -> None:
        for opener in self.openers.values():
            self.run(opener.close())
        self.run(self.stack.aclose())
        self.runner.close()

    def run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return self.runner.run(awaited())

    def fenced(self, start: str, work: Awaitable[T]) -> T | Outcome:
        """Does it, or is refused: as the model says."""
        if not self.model.starts[start].ended:
            return self.run(work)
        with pytest.raises(UnavailableError, match="another orchestrator has taken over"):
            self.run(work)
        return FENCED

    def one(self, place: int) -> str:
        """Of all starts, also ended ones."""
        return [*self.stores][place % len(self.stores)]

    def batch(self, place: int) -> str:
        return [*self.model.rows][place % len(self.model.rows)]

    def copy(self, place: int) -> tuple[str, Builder]:
        found = [(start, builder) for start, copies in self.copies.items() for builder in copies.values()]
        return found[place % len(found)]

    def has_rows(self) -> bool:
        return bool(self.model.rows)

    def has_copies(self) -> bool:
        return any(self.copies.values())

    # -- starts

    @rule()
    @precondition(lambda self: len(self.stores) < MOST_STARTS)
    def begin(self) -> None:
        if not self.shared:
            for start in [*self.openers]:
                self.run(self.openers.pop(start).close())
                self.model.end(start)
                del self.stores[start], self.copies[start]
        name = f"s{len(self.model.starts)}"
        opener = self.make(name)
        store = self.run(opener.open())
        start = opener.opened[-1]
        self.openers[start], self.stores[start], self.copies[start] = opener, store, {}
        self.model.starts[start] = Start()

    @rule(place=ANY)
    def renew(self, place: int) -> None:
        start = self.one(place)
        if self.model.starts[start].ended:
            with pytest.raises(PreconditionError, match="STORE_TAKEN"):
                self.run(self.stores[start].renew())
        else:
            assert dict(self.run(self.stores[start].renew()).others) == self.model.others(start)
            self.model.starts[start].counter += self.shared

    @rule(place=ANY, other=ANY, late=st.booleans())
    @precondition(lambda self: len(self.stores) > 1)
    def supersede(self, place: int, other: int, late: bool) -> None:
        start, ended = self.one(place), self.one(other)
        if start != ended:
            lease = Lease(ended, self.model.starts[ended].counter - late)
            done = self.fenced(start, self.stores[start].supersede(lease))
            assert done is FENCED or done is self.model.supersede(*lease)

    @rule(place=ANY)
    @precondition(lambda self: self.shared)
    def end(self, place: int) -> None:
        start = self.one(place)
        self.run(self.stores[start].end())
        if not self.model.starts[start].ended:
            self.model.end(start)

    # -- commits

    @rule(place=ANY, tier=st.sampled_from(Tier), count=st.sampled_from([0, 1, 2, 2, 150]), request=REQUESTS)
    def submit(self, place: int, tier: Tier, count: int, request: str) -> None:
        start = self.one(place)
        builder = Builder(incarnation=start, session_id="s", now=self.now)
        builder.batch.open = not count
        command = CommandRecord(request, "SubmitBatch", b"", b"made") if count == 2 else None
        deadline = MINUTE + place % 3 * SECOND
        items = [judged(f"p{n}", tier=tier, approval_deadline=deadline) for n in range(count)]
        first, *rest = builder.submit(items, command).parts()
        if self.commit(start, builder, first) and rest:
            self.parts[start, builder.batch.id] = rest

    @rule()
    @precondition(lambda self: self.parts)
    def go_on(self) -> None:
        """With a submission that nobody can see yet."""
        (start, batch_id), rest = next(iter(self.parts.items()))
        del self.parts[start, batch_id]
        builder = self.copies.get(start, {}).get(batch_id)
        if builder is not None and self.commit(start, builder, rest.pop(0)) and rest:
            self.parts[start, batch_id] = rest

    @rule(place=ANY, approve=st.booleans(), request=st.none() | REQUESTS, payload=st.sampled_from([b"", b"", b"other"]))
    @precondition(has_copies)
    def move(self, place: int, approve: bool, request: str | None, payload: bytes) -> None:
        start, builder = self.copy(place)
        if (start, builder.batch.id) not in self.parts:
            changes = self.step(builder, approve)
            if request is not None:
                changes.command = CommandRecord(request, "Decide", payload, f"by {start}".encode())
            self.commit(start, builder, changes)

    def step(self, builder: Builder, approve: bool) -> Changes:
        """The next thing that may happen to it; at the end it is only written anew."""
        for proposal in builder.batch.proposals[:2]:
            match proposal.state:
                case State.PROPOSED:
                    return builder.approve(proposal.key) if approve else builder.reject(proposal.key)
                case State.APPROVED:
                    return builder.dispatch(proposal.key)
                case State.RUNNING:
                    return builder.succeed(proposal.key)
                case _:
                    pass
        if builder.batch.open and not builder.batch.proposals:
            return builder.add([judged("p0", tier=Tier.HARD)])
        changes = builder.begin()
        for proposal in builder.batch.proposals[:1]:
            changes.touch(proposal)
        return builder.batch.conclude(changes)

    def commit(self, start: str, builder: Builder, changes: Changes) -> bool:
        (item,) = write(changes)
        expected = self.model.commit(start, item)
        done = self.fenced(start, self.stores[start].commit([item]))
        if not isinstance(done, Outcome):
            if item.created and item.batch.id in done.created:
                builder.batch.number, builder.batch.session_no = done.created[item.batch.id]
            assert (done.lost, done.unwritable) == ({item.batch.id} if expected is Outcome.LOST else set(), set())
        if expected is Outcome.WRITTEN:
            self.copies[start][item.batch.id] = builder
        else:
            self.copies[start].pop(item.batch.id, None)
        return expected is Outcome.WRITTEN

    # -- batches that change hands

    @rule(place=ANY, which=ANY)
    @precondition(has_rows)
    def take(self, place: int, which: int) -> None:
        start, batch_id = self.one(place), self.batch(which)
        taking = self.stores[start].take("default", batch_id, AnyArguments())
        if self.model.starts[start].ended and self.shared and self.model.rows[batch_id].owner not in ("", start):
            with suppress(UnavailableError):  # whose it is may be said to one that was ended, too
                assert self.run(taking) == Elsewhere(self.model.rows[batch_id].owner)
            return
        found = self.fenced(start, taking)
        if found is FENCED:
            return
        expected = self.model.take(start, batch_id)
        if isinstance(found, Batch):
            self.keep(start, found)
        else:
            assert expected == (found.incarnation if isinstance(found, Elsewhere) else None)

    def keep(self, start: str, batch: Batch) -> None:
        """What was loaded is what the model has."""
        row = self.model.rows[batch.id]
        assert (batch.epoch, batch.head, batch.incarnation) == (row.epoch, row.head, row.owner)
        assert row.owner == start
        builder = Builder(incarnation=start, session_id="s", now=self.now)
        builder.batch = batch
        self.copies[start][batch.id] = builder

    @rule(place=ANY, ahead=st.sampled_from([0, 60, 61, 62, 3600]))
    def take_due(self, place: int, ahead: int) -> None:
        start, now = self.one(place), self.now + ahead * SECOND
        due = [batch_id for wake, _, batch_id in self.model.waking() if wake <= now]
        if self.model.starts[start].ended and not due:
            return  # there is nothing to be refused
        found = self.fenced(start, self.stores[start].take_due(now, AnyArguments()))
        if isinstance(found, list):
            assert [batch.id for batch in found] == due
            for batch in found:
                self.model.take(start, batch.id)
                self.keep(start, batch)

    @rule(place=ANY)
    @precondition(has_copies)
    def let_go(self, place: int) -> None:
        start, builder = self.copy(place)
        if (start, builder.batch.id) in self.parts:
            return
        if self.fenced(start, self.stores[start].let_go([builder.batch], self.now)) is not FENCED:
            self.model.let_go(start, builder.batch, self.now)

    # -- commands

    @rule(place=ANY, which=ANY, request=REQUESTS)
    @precondition(has_rows)
    def send(self, place: int, which: int, request: str) -> None:
        start, self.now = self.one(place), self.now + 1
        command = SentCommand("default", self.batch(which), request, "Decide", b"", b"{}", "user:ann", start)
        if self.fenced(start, self.stores[start].send([command], self.now)) is not FENCED:
            self.model.send(command, self.now)

    @rule(place=ANY, which=ANY)
    @precondition(lambda self: self.model.inbox)
    def refuse(self, place: int, which: int) -> None:
        start, sent = self.one(place), [*self.model.inbox.values()][which % len(self.model.inbox)]
        if self.fenced(start, self.stores[start].refuse([(sent.command, b"no")])) is not FENCED:
            self.model.refuse(start, sent.command, b"no")

    @rule(place=ANY, which=ANY)
    @precondition(lambda self: self.model.inbox)
    def withdraw(self, place: int, which: int) -> None:
        start, key = self.one(place), [*self.model.inbox][which % len(self.model.inbox)]
        if self.fenced(start, self.stores[start].withdraw([CommandId("default", key[1], key[0])])) is not FENCED:
            del self.model.inbox[key]

    # -- what anybody reads

    @invariant()
    def reads_agree(self) -> None:
        self.run(self._check_reads())

    async def _check_reads(self) -> None:
        model = self.model
        for start, store in [*self.stores.items()][-2:]:
            assert await store.next_wake() == next((wake for wake, _, _ in model.waking()), None)
            assert await store.received(99) == model.received(start)
            for builder in self.copies[start].values():
                visible = model.rows[builder.batch.id].visible if builder.batch.id in model.rows else True
                assert not visible or await store.still(builder.batch) is model.knows(start, builder.batch)
        store = [*self.stores.values()][-1]
        for batch_id, row in model.rows.items():
            head = await store.batch_head("default", batch_id)
            assert (head.head if head is not None else None) == (row.head if row.visible else None)
        for request, batch_id in itertools.chain(model.inbox, model.answers):
            which = CommandId("default", batch_id, request)
            assert (await store.answers([which])).get(which) == model.answer(request, batch_id)
