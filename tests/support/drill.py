"""A client, an approver and an executor for recovery tests: they go on after the orchestrator was stopped."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from orchestrator_svc.adapters.executor.memory import MemoryExecutors
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.application.caller import RequestKey
from orchestrator_svc.application.decide import DecisionSpec
from orchestrator_svc.application.submit import BatchSpec
from orchestrator_svc.domain.lifecycle import MOVES
from orchestrator_svc.domain.proposal import UNFINISHED, Proposal, ProposalSpec, Verdict
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.states import OnInvalid, Resolution
from orchestrator_svc.domain.tool import Effect, KnownEffect
from orchestrator_svc.ports.views import BatchFilter, BatchView
from tests.support.clock import ManualClock
from tests.support.crashing_store import CrashingStore
from tests.support.engine_world import events, ok
from tests.support.stores import EVERYTHING
from tests.support.world import CALLER, TOOLS, World, running

BY_HAND = ("proposal_retried", "proposal_resolved")


class Drill:
    """`script`: key -> how its calls end, one after the other; then they succeed. `acknowledged`: what must last."""

    def __init__(self, script: dict[str, list[Ending]] | None = None) -> None:
        self.clock = ManualClock()
        self.executors = MemoryExecutors(self.clock)
        self.replica: Replica = self.executors.add(TOOLS)
        self.world: World
        self.store: CrashingStore
        self.submissions: list[BatchSpec] = []
        self.batches: dict[int, str] = {}
        self.added: dict[str, int] = {}
        self.decided: dict[str, Verdict] = {}
        self.effects: Counter[str] = Counter()
        self._replicas = [self.replica]
        self._harmless: Counter[str] = Counter()
        self._again: Counter[str] = Counter()
        self._script = script or {}
        self._runs: Counter[str] = Counter()

    @asynccontextmanager
    async def start(self, store: CrashingStore) -> AsyncGenerator[None]:
        """A start of the orchestrator. What the executor said to the one before is not heard by this one."""
        self.store = store
        self.replica.cut()
        await self.executors.signals()
        self.world = World(store.port, self.clock, self.executors)
        async with running(self.world, ()):
            self.replica.connect()
            await self.settle()
            yield

    def replace_executor(self) -> None:
        """The one of before is gone for good, with what it ran."""
        self.replica = self.executors.add(TOOLS)
        self._replicas.append(self.replica)

    # -- time and calls

    async def settle(self) -> None:
        for _ in range(3):
            await self.world.settle()
            await self.store.quiet()

    async def work(self, seconds: float = 0.0) -> None:
        """The executor ends what it holds, one by one, until nothing more comes; then time passes."""
        for _ in range(1000):
            await self.settle()
            if not self.replica.held:
                break
            held = self.replica.held
            for call_id in held[: 1 if len(held) <= 20 else 64]:
                self.end(call_id)
        if seconds:
            await self.world.advance(seconds)
            await self.settle()

    def end(self, call_id: str) -> None:
        proposal_id, key = call_id.rpartition("/")[0], call_id.split("/")[1]
        script = self._script.get(key, [])
        ending = script[self._runs[key]] if self._runs[key] < len(script) else ok('{"n":1}')
        self._runs[key] += 1
        if ending.failure is None or ending.failure.known_effect is not KnownEffect.NONE:
            self.effects[proposal_id] += 1
        else:
            self._harmless[proposal_id] += 1
        self.replica.end(call_id, ending)

    # -- what people do, remembered once it was answered

    async def submit(self, *specs: ProposalSpec, **options: object) -> str:
        self.submissions.append(BatchSpec(proposals=list(specs), **options))  # type: ignore[arg-type]
        return await self._submit(len(self.submissions) - 1)

    async def _submit(self, number: int) -> str:
        key = RequestKey(f"00000000-0000-4000-8000-{number:012}", "SubmitBatch", b"p")
        prepared = await self.world.submit.submit(CALLER, self.submissions[number], key)
        self.batches[number] = prepared.batch_id
        return prepared.batch_id

    async def submit_again(self) -> None:
        """Every request of before, as a client does that got no answer: it makes no second batch."""
        for number in range(len(self.submissions)):
            before = self.batches.get(number)
            assert await self._submit(number) == (before or self.batches[number])

    async def add(self, batch_id: str, *specs: ProposalSpec, close: bool = False) -> None:
        await self.world.add.add(CALLER, batch_id, specs, OnInvalid.REFUSE, close, None)
        self.added[batch_id] = self.added.get(batch_id, 0) + len(specs)

    async def decide(self, batch_id: str, key: str, verdict: Verdict = Verdict.APPROVE, **members: object) -> None:
        proposal_id = f"{batch_id}/{key}"
        digest = (await self.world.proposal(proposal_id)).decidable_digest
        spec = DecisionSpec(proposal_id, verdict, digest=digest, **members)  # type: ignore[arg-type]
        (answer,) = await self.world.decide.decide(CALLER, [spec], False, None)
        if answer.kind is None:
            self.decided[proposal_id] = verdict

    async def cancel(self, batch_id: str, *keys: str) -> None:
        if keys:
            await self.world.cancel.proposals(CALLER, [f"{batch_id}/{key}" for key in keys], "", None)
        else:
            await self.world.cancel.batch(CALLER, batch_id, "", None)

    async def retry(self, batch_id: str) -> None:
        await self.world.retry.retry(CALLER, [], batch_id, (), "", None)

    async def resolve(self, proposal_id: str) -> None:
        """As somebody does who looked: the effect is there, or it is not."""
        found = Resolution.SUCCEEDED if self.effects[proposal_id] else Resolution.RUN_AGAIN
        result = "{}" if self.effects[proposal_id] else ""
        self._again[proposal_id] += found is Resolution.RUN_AGAIN
        await self.world.resolve.resolve(CALLER, proposal_id, found, result, "looked", None, None)

    # -- after a start

    async def all(self) -> list[BatchView]:
        return (await self.world.store.list_batches("default", BatchFilter(), None, 1000)).batches

    async def proposals(self, batch_id: str) -> list[Proposal]:
        found = await self.world.store.get_batch_full("default", batch_id, EVERYTHING)
        assert found is not None
        return [view.proposal for view in found[1]]

    async def check_nothing_is_lost(self) -> None:
        present = {batch.id: batch for batch in await self.all()}
        for number, batch_id in self.batches.items():
            total = len(self.submissions[number].proposals or []) + self.added.get(batch_id, 0)
            assert sum(present[batch_id].counts) >= total
        for proposal_id, verdict in self.decided.items():
            assert verdict in [decision.verdict for decision in (await self.world.proposal(proposal_id)).decisions]

    async def finish(self) -> None:
        """By themselves they finish or wait for a person; then a person does what is to be done."""
        for _ in range(4):
            await self.work(31)
        for batch in await self.all():
            assert batch.state.finished or batch.state.name in ("BLOCKED", "IDLE"), batch.state
        for _ in range(20):
            batches = [batch for batch in await self.all() if not batch.state.finished]
            if not batches:
                break
            for batch in batches:
                await self._help(batch)
            await self.work(31)
        assert all(batch.state.finished for batch in await self.all())

    async def _help(self, batch: BatchView) -> None:
        for proposal in await self.proposals(batch.id):
            if proposal.state is State.PROPOSED and proposal.asked_time is not None:
                await self.decide(batch.id, proposal.key)
            elif proposal.state is State.OUTCOME_UNKNOWN:
                await self.resolve(f"{batch.id}/{proposal.key}")
        if batch.open:
            await self.world.add.close(CALLER, batch.id, None)

    async def check_history(self) -> None:
        """Gap-free, legal moves only, no attempt number twice, no side effect twice."""
        for batch in await self.all():
            await self._check_moves(batch.id)
            for proposal in await self.proposals(batch.id):
                numbers = [attempt.number for attempt in proposal.attempts]
                assert numbers == list(range(1, len(numbers) + 1))
                if proposal.effect is Effect.NON_IDEMPOTENT:
                    self._check_once(f"{batch.id}/{proposal.key}")
                if proposal.state is State.SUCCEEDED:
                    assert self.effects[f"{batch.id}/{proposal.key}"] >= 1, f"{proposal.key} never ran"

    def _check_once(self, proposal_id: str) -> None:
        """Started once, but for what ended without an effect and what a person ran again."""
        calls = [call for replica in self._replicas for call in replica.received]
        started = sum(call.id.rpartition("/")[0] == proposal_id for call in calls)
        assert self.effects[proposal_id] <= 1, f"{proposal_id} had its effect twice"
        assert started - self._harmless[proposal_id] - self._again[proposal_id] <= 1, f"{proposal_id} ran twice"

    async def _check_moves(self, batch_id: str) -> None:
        now: dict[str, State] = {}
        for event in await events(self.world, batch_id):
            if not event.key:
                continue
            was, to = now.get(event.key), State(event.state)
            if was is not None and was is not to:
                assert to in MOVES[was], f"{event.key}: {was.name} -> {to.name}"
                if was not in UNFINISHED and was is not State.SKIPPED:
                    assert event.WhichOneof("detail") in BY_HAND
            now[event.key] = to
        assert now == {proposal.key: proposal.state for proposal in await self.proposals(batch_id)}


def names(proposals: Sequence[Proposal]) -> dict[str, str]:
    return {proposal.key: proposal.state.name for proposal in proposals}
