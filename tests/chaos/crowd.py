"""Clients that submit, add, cancel and watch, and people who decide: what they were told is what must last."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight_client import GreenlightClient, GreenlightError, call, finished, ref
from tests.chaos.faults import Faults

TOOLS = {"read": 6, "write": 4, "note": 4, "send": 1, "transfer": 3, "pay": 2}
"""How often each is called, of 20 times."""
AT_ONCE = 12
PEOPLE = 4
BUSY = 2
BATCHES_A_KILL = 8
BATCHES_A_FAULT = 3


@dataclass(slots=True)
class Story:
    """One batch as its client knows it: what was acknowledged (`total` proposals), and what its watcher saw."""

    batch_id: str = ""
    total: int = 0
    cancelled: bool = False
    events: list[event_pb2.Event] = field(default_factory=list[event_pb2.Event])


class Crowd:
    def __init__(self, clients: Sequence[GreenlightClient], faults: Faults, seed: int) -> None:
        self._clients, self._faults, self._seed = clients, faults, seed
        self._turns = random.Random(f"{seed}/turns")
        self._live = 0
        faults.busy = lambda: self._live >= BUSY
        self.stories: list[Story] = []
        self.edited: set[str] = set()
        self.decided: dict[str, proposal_pb2.Verdict.ValueType] = {}
        self.told: list[str] = []

    @property
    def _client(self) -> GreenlightClient:
        """Another one each time, if there are several."""
        return self._turns.choice(self._clients)

    async def submit_all(self, batches: int) -> None:
        """Returns when all are submitted and their watchers saw them end, or wait for what only a checker can say."""
        room = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            for number in range(batches):
                await self._until_faults(number)
                await room.acquire()
                self._live += 1
                tasks.create_task(self._play(number)).add_done_callback(lambda _: self._ended(room))

    def _ended(self, room: asyncio.Semaphore) -> None:
        self._live -= 1
        room.release()

    async def _until_faults(self, number: int) -> None:
        kills, hits = number // BATCHES_A_KILL, number // BATCHES_A_FAULT
        while self._faults.kills < kills or len(self._faults.hits) < hits:
            self._faults.moved.clear()
            await self._faults.moved.wait()

    async def _play(self, number: int) -> None:
        draw = random.Random(f"{self._seed}/{number}")
        calls = _calls(draw, 0, draw.randint(3, 9))
        is_open = draw.random() < 0.25
        story = Story()
        answer = await self._client.submit(
            calls, open=is_open, name=f"batch {number}", max_in_flight=draw.choice((0, 0, 2))
        )
        story.batch_id, story.total = answer.batch.batch_id, len(calls)
        self.stories.append(story)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._try(self.watch(story, "blocked" if is_open else "finished", 12)))
            await asyncio.sleep(draw.uniform(0, 0.3))
            if is_open:
                more = _calls(draw, len(calls), draw.randint(1, 4))
                await self._try(self._add(story, more))
            if draw.random() < 0.08:
                await self._try(self._cancel(story))

    async def _add(self, story: Story, more: list[proposal_pb2.ProposalSpec]) -> None:
        await self._client.add(story.batch_id, more, close=True)
        story.total += len(more)

    async def _cancel(self, story: Story) -> None:
        await self._client.cancel(story.batch_id, "no longer wanted")
        story.cancelled = True

    async def _try(self, request: Any) -> None:
        """What is refused was not acknowledged."""
        try:
            await request
        except GreenlightError as error:
            self.told.append(str(error))

    async def watch(self, story: Story, until: Any, max_wait: float) -> None:
        """Goes on after the last event that it saw."""
        after = story.events[-1].sequence if story.events else 0
        async with self._client.watch(story.batch_id, resume_after=after, until=until, max_wait=max_wait) as events:
            async for event in events:
                story.events.append(event)

    async def decide_all(self) -> None:
        """For ever: whatever waits for a decision gets one. One that waits for a lost server holds up no other."""
        room = asyncio.Semaphore(PEOPLE)
        while True:
            async with asyncio.TaskGroup() as tasks:
                async for proposal in self._client.list_proposals():
                    await room.acquire()
                    deciding = tasks.create_task(self._try(self._decide(proposal)))
                    deciding.add_done_callback(lambda _: room.release())
            await asyncio.sleep(0.1)

    async def _decide(self, proposal: proposal_pb2.Proposal) -> None:
        drawn = random.Random(f"{self._seed}/{proposal.key}/{proposal.batch_id[-4:]}").random()
        if drawn < 0.1:
            await self._client.reject(proposal, "no")
            self.decided[proposal.proposal_id] = proposal_pb2.VERDICT_REJECT
            return
        if drawn < 0.2:
            await self._client.edit(proposal, {"ms": 20, "x": "edited"})
            self.edited.add(proposal.proposal_id)
        else:
            await self._client.approve(proposal)
        self.decided[proposal.proposal_id] = proposal_pb2.VERDICT_APPROVE


def _calls(draw: random.Random, first: int, count: int) -> list[proposal_pb2.ProposalSpec]:
    """Each depends on earlier ones, or on none, by name or by reference."""
    calls: list[proposal_pb2.ProposalSpec] = []
    for number in range(first, first + count):
        earlier = [f"k{n}" for n in range(number)]
        after = draw.sample(earlier, min(len(earlier), draw.choice((0, 0, 1, 2))))
        arguments: dict[str, Any] = {"ms": draw.randint(0, 200)}
        if draw.random() < 0.1:
            arguments["fails"] = True
        if after and draw.random() < 0.4:
            arguments["x"] = ref(after[0], "/n", default=0) if draw.random() < 0.5 else ref(after[0], "/n")
        made: list[Callable[[str], Any]] = [str, finished]
        edges = [draw.choice(made)(key) for key in after]
        (tool,) = draw.choices([*TOOLS], [*TOOLS.values()])
        calls.append(call(tool, arguments, key=f"k{number}", after=edges))
    return calls
