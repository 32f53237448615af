"""Scenarios that nobody thought of: what is proposed, what people do and how calls end, drawn from a seed."""

import random
from collections.abc import Sequence

from orchestrator_svc.domain.proposal import ProposalSpec, Verdict
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.states import Resolution
from orchestrator_svc.domain.tool import FailureClass, KnownEffect
from tests.recovery.scenarios import Scenario
from tests.support.drill import Drill
from tests.support.engine_world import failed, spec

TOOLS = ("read", "write", "note", "pay", "send", "send")
ENDINGS: Sequence[Ending] = (
    failed(),
    failed(FailureClass.PERMANENT),
    failed(FailureClass.TIMEOUT, KnownEffect.POSSIBLE),
    failed(FailureClass.UNAVAILABLE, refused=True),
    failed(FailureClass.PERMANENT, KnownEffect.DONE),
)
STEPS = 14


def wandering(seed: int) -> Scenario:
    draw = random.Random(seed)
    keys = [f"k{number}" for number in range(12)]
    script = {key: [draw.choice(ENDINGS) for _ in range(draw.randint(1, 3))] for key in keys if draw.random() < 0.4}

    async def play(drill: Drill) -> None:
        await _Walk(drill, random.Random(seed)).walk()

    return Scenario(play, script, tuple(draw.sample(keys, 2)))


class _Walk:
    """Draws the same whatever was stopped: what cannot be done now is left out."""

    def __init__(self, drill: Drill, draw: random.Random) -> None:
        self._drill, self._draw = drill, draw
        self._batch_id = ""
        self._count = 0

    async def walk(self) -> None:
        first = self._specs(self._draw.randint(2, 6))
        at_once = self._draw.choice((0, 0, 1))
        self._batch_id = await self._drill.submit(*first, open=True, session_id="s", max_in_flight=at_once)
        steps = [self._decide, self._decide, self._end, self._end, self._work, self._cancel, self._retry, self._resolve]
        steps += [self._add, self._turn, self._wait]
        for _ in range(STEPS):
            await self._drill.settle()
            await self._draw.choice(steps)()
        if self._draw.random() < 0.2:
            await self._drill.cancel(self._batch_id)
        await self._drill.settle()

    def _specs(self, count: int) -> list[ProposalSpec]:
        made: list[ProposalSpec] = []
        for _ in range(count):
            earlier = [f"k{number}" for number in range(self._count)]
            after = self._draw.sample(earlier, min(len(earlier), self._draw.choice((0, 1, 1, 2))))
            edges = [key + self._draw.choice(("", "?")) for key in after]
            arguments = "{}"
            if after and self._draw.random() < 0.5:
                default = self._draw.choice(("", ',"default":0'))
                arguments = f'{{"x":{{"$from":"{after[0]}","path":"/n"{default}}}}}'
            made.append(spec(self._draw.choice(TOOLS), f"k{self._count}", *edges, arguments=arguments))
            self._count += 1
        return made

    async def _one(self, *states: State) -> str | None:
        proposals = await self._drill.proposals(self._batch_id)
        found = [proposal.key for proposal in proposals if proposal.state in states]
        drawn = self._draw.random()
        return found[int(drawn * len(found))] if found else None

    async def _decide(self) -> None:
        key, drawn = await self._one(State.PROPOSED), self._draw.random()
        if key is None:
            return
        if drawn < 0.15:
            await self._drill.decide(self._batch_id, key, verdict=Verdict.REJECT)
        elif drawn < 0.4:
            await self._drill.decide(self._batch_id, key, edited='{"y":2}', accept_unbound=drawn < 0.3)
        else:
            await self._drill.decide(self._batch_id, key, accept_unbound=drawn < 0.6)

    async def _end(self) -> None:
        held, drawn = self._drill.replica.held, self._draw.random()
        if held:
            self._drill.tools.end(held[int(drawn * len(held))])

    async def _work(self) -> None:
        await self._drill.work(self._draw.choice((0, 3)))

    async def _cancel(self) -> None:
        key = await self._one(State.PROPOSED, State.APPROVED, State.RUNNING)
        if key is not None and self._draw.random() < 0.5:
            await self._drill.cancel(self._batch_id, key)

    async def _retry(self) -> None:
        await self._drill.retry(self._batch_id)

    async def _resolve(self) -> None:
        key, found = await self._one(State.OUTCOME_UNKNOWN), self._draw.choice((None, None, Resolution.FAILED))
        if key is not None:
            await self._drill.resolve(f"{self._batch_id}/{key}", found)

    async def _add(self) -> None:
        if self._count < 10:
            await self._drill.add(self._batch_id, *self._specs(self._draw.randint(1, 2)))

    async def _turn(self) -> None:
        await self._drill.confirm("s")

    async def _wait(self) -> None:
        await self._drill.world.advance(self._draw.choice((2.0, 61.0, 1801.0)))
