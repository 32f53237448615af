"""Two orchestrators that both believe that batches are theirs, and both record: of what they write to a batch at once
one is lost, and its events have neither a gap nor a repeat."""

import asyncio
import random
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field

import pytest

from greenlight.orchestrator.v1 import event_pb2
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import Tier
from tests.support.batches import Builder, judged
from tests.support.stores import WholeStore, commit, submitted, taken_due

BATCHES, CALLS, GROUP = 12, 4, 5


@dataclass
class Recorder:
    """`held`: the batches that it believes to have, by id. `lost`: how often it was told that it had not."""

    store: WholeStore
    incarnation: str
    held: dict[str, Builder] = field(default_factory=dict[str, Builder])
    lost: int = 0

    def hold(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            builder = self.held[batch.id] = Builder(incarnation=self.incarnation)
            builder.batch = batch

    async def record(self) -> None:
        """One commit: the next step of some of its batches."""
        group = random.sample(sorted(self.held), min(GROUP, len(self.held)))
        steps = [step for step in (_next(self.held[batch_id]) for batch_id in group) if step is not None]
        await asyncio.sleep(0)  # the other one goes on, also where the store does so at once
        if not steps:
            return
        committed = await commit(self.store, *steps)
        assert not committed.unwritable
        self.lost += len(committed.lost)
        for batch_id in committed.lost:
            del self.held[batch_id]

    async def waver(self) -> None:
        """Lets go of some, and writes on as if it had not; takes whatever is nobody's."""
        going = sorted(batch_id for batch_id, builder in self.held.items() if not builder.batch.state.finished)
        some = random.sample(going, len(going) // 2)
        await self.store.let_go([self.held[batch_id].batch for batch_id in some], 0)
        await asyncio.sleep(0)
        self.hold(await taken_due(self.store))

    async def run(self, other: "Recorder") -> None:
        """Until every batch that either of them holds is finished."""
        while any(not builder.batch.state.finished for one in (self, other) for builder in one.held.values()):
            await self.record()
            if random.random() < 0.5:
                await self.waver()


def _next(builder: Builder) -> Changes | None:
    """Of its first call that has not ended."""
    for proposal in builder.batch.proposals:
        if proposal.state is State.APPROVED:
            return builder.dispatch(proposal.key)
        if proposal.state is State.RUNNING:
            return builder.succeed(proposal.key)
    return None


async def events(store: WholeStore, number: int) -> list[event_pb2.Event]:
    frames = await store.read_frames(number, 0, 1 << 30)
    return [event for frame in frames for event in event_pb2.EventFrame.FromString(frame.payload).events]


async def test_at_the_very_same_place_one_of_both_is_written(one: WholeStore, two: WholeStore) -> None:
    """They believe the same of batches that wait for people, then and after: only their heads say who was second."""
    mine = [Builder(incarnation="one-1") for _ in range(BATCHES)]
    for builder in mine:
        await submitted(one, builder, builder.submit([judged(key, tier=Tier.HARD) for key in ("a", "b")]))
    others = deepcopy(mine)
    for builder in others:
        builder.batch.incarnation = "two-1"

    async def record(store: WholeStore, builders: list[Builder]) -> set[str]:
        """One by one."""
        groups = [await commit(store, builder.reject("a")) for builder in builders]
        return {batch_id for committed in groups for batch_id in committed.lost}

    lost = await asyncio.gather(record(one, mine), record(two, others[::-1]))
    assert sorted([*lost[0], *lost[1]]) == sorted(builder.batch.id for builder in mine)
    for builder in mine:
        found = await events(one, builder.batch.number)
        assert [event.sequence for event in found] == list(range(1, builder.batch.head + 1))
        assert [event.key for event in found if event.HasField("proposal_decided")] == ["a"]


@pytest.mark.parametrize("seed", range(4))
async def test_batches_that_both_hold_and_record_at_once(one: WholeStore, two: WholeStore, seed: int) -> None:
    random.seed(seed)
    first, second = Recorder(one, "one-1"), Recorder(two, "two-1")
    numbers: dict[str, int] = {}
    for _ in range(BATCHES):
        builder = Builder(incarnation=first.incarnation)
        await submitted(one, builder, builder.submit([judged(f"p{call}") for call in range(CALLS)]))
        first.held[builder.batch.id] = builder
        numbers[builder.batch.id] = builder.batch.number
    await asyncio.gather(first.run(second), second.run(first))

    assert first.lost + second.lost > 0, "they did not get in each other's way"
    for batch_id, number in numbers.items():
        found = await events(one, number)
        view = await one.get_batch("default", batch_id)
        assert view is not None
        assert [event.sequence for event in found] == list(range(1, view.head + 1))
        assert view.state.name == "SUCCEEDED"
        for detail in ("attempt_dispatched", "proposal_succeeded"):
            assert sorted(event.key for event in found if event.HasField(detail)) == [f"p{n}" for n in range(CALLS)]
