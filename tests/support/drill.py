"""A client, an approver, watchers and executors for recovery tests: they go on after the orchestrator was stopped."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from orchestrator_svc.adapters.executor.memory import MemoryExecutors
from orchestrator_svc.adapters.executor.memory_replica import Replica
from orchestrator_svc.application.caller import RequestKey
from orchestrator_svc.application.decide import DecisionSpec
from orchestrator_svc.application.items import ItemAnswer
from orchestrator_svc.application.soft_confirm import Confirmation, SoftConfirmSpec
from orchestrator_svc.application.submit import BatchSpec
from orchestrator_svc.domain.proposal import Proposal, ProposalSpec, Verdict
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.states import OnInvalid, Resolution
from orchestrator_svc.ports.executor import Call
from orchestrator_svc.ports.views import BatchFilter, BatchView
from shared.kernel.errors import GreenlightError
from shared.kernel.tasks import Supervisor
from tests.support.crashing_link import CrashingLink
from tests.support.crashing_store import CrashingStore, settle
from tests.support.following import BatchFollower, Follower, SessionFollower
from tests.support.stores import EVERYTHING
from tests.support.workshop import Workshop
from tests.support.world import CALLER, World, running

Play = Callable[["Drill"], Awaitable[None]]


@dataclass(slots=True)
class Asked:
    """One request of a client, which repeats it as long as it has no answer. `heard`: what to keep in mind of that."""

    key: RequestKey
    send: Callable[[World, RequestKey], Awaitable[Any]]
    heard: Callable[[Any], None]
    answered: bool = False
    refused: GreenlightError | None = None
    answer: Any = None


class Drill:
    """What was acknowledged must last: `batches` (id -> proposals at least), `decided`, `cancelled` (id -> calls then),
    `by_hand` (proposal id -> retries and resolutions).

    `adorn` is told of each world before it starts: for what makes it worse than it is.
    """

    def __init__(
        self, script: Mapping[str, Sequence[Ending]] | None = None, talks: Sequence[str] = (), seed: int = 0
    ) -> None:
        self.tools = Workshop(script or {}, talks, seed)
        self.clock = self.tools.clock
        self.world: World
        self.store: CrashingStore
        self.adorn: Callable[[World], None] = lambda world: None
        self.unsent: list[Call] = []
        self.asked: list[Asked] = []
        self.batches: dict[str, int] = {}
        self.decided: dict[str, list[tuple[Verdict, str | None]]] = {}
        self.cancelled: dict[str, int] = {}
        self.by_hand: Counter[str] = Counter()
        self.followers: dict[str, Follower] = {}
        self.failures: list[BaseException] = []
        self._watching: Supervisor

    @property
    def replica(self) -> Replica:
        return self.tools.replica

    @asynccontextmanager
    async def start(self, store: CrashingStore) -> AsyncGenerator[None]:
        """A start of the orchestrator. What the executor said to the one before is not heard by this one."""
        self.store = store
        await self.tools.forget_signals()
        link = CrashingLink(self.tools.executors, store.fuse, self.unsent)
        self.world = World(store.port, self.clock, cast(MemoryExecutors, link))
        self.adorn(self.world)
        async with running(self.world, ()), Supervisor(self._failed) as self._watching:
            self.replica.connect()
            for follower in self.followers.values():
                self._watch(follower)
            await self.settle()
            yield

    async def live(self, store: CrashingStore, play: Play) -> bool:
        """A start that lasts until the play is over (True) or its world has stopped."""
        async with Supervisor() as tasks:
            stopped = tasks.start(store.fuse.blown.wait(), "fuse")
            played = tasks.start(self._play(store, play), "play")
            await asyncio.wait({stopped, played}, return_when=asyncio.FIRST_COMPLETED)
            if played.done():
                played.result()
            return not store.fuse.off

    async def _play(self, store: CrashingStore, play: Play) -> None:
        async with self.start(store):
            await play(self)

    def _watch(self, follower: Follower) -> None:
        self._watching.start(follower.follow(self.world.watch, self.store.fuse), "watcher")

    def _failed(self, name: str, error: BaseException) -> None:
        self.failures.append(error)

    def _follow(self, name: str, follower: Follower) -> None:
        if name not in self.followers:
            self.followers[name] = follower
            self._watch(follower)

    # -- time and calls

    async def settle(self) -> None:
        """Until nothing moves any more by itself."""
        fuse, passed, still = self.store.fuse, -1, 0
        while still < 2:
            passed = len(fuse.passed)
            for _ in range(20):
                await asyncio.sleep(0)
            await settle(self.store)
            still = still + 1 if len(fuse.passed) == passed else 0

    async def work(self, seconds: float = 0.0) -> None:
        """The executor ends what it holds, one by one, until nothing more comes; then time passes, in which a lease is
        renewed."""
        await self.settle()
        while held := self.replica.held:
            for call_id in held[: 1 if len(held) <= 20 else 64]:
                self.tools.end(call_id)
            await self.settle()
        if seconds:
            await self.world.advance(seconds)
            if self.world.store.shared:
                await self.world.owner.renew()
            await self.settle()

    # -- what people do, remembered once it was answered

    async def ask(
        self, kind: str, send: Callable[[World, RequestKey], Awaitable[Any]], heard: Callable[[Any], None]
    ) -> Any:
        key = RequestKey(f"00000000-0000-4000-8000-{len(self.asked):012}", kind, b"p")
        asked = Asked(key, send, heard)
        self.asked.append(asked)
        try:
            await self._send(asked)
        except GreenlightError as error:
            asked.refused = error  # it came too late: what it was about has gone another way
        return asked.answer

    async def _send(self, asked: Asked) -> None:
        answer = await asked.send(self.world, asked.key)
        if self.store.fuse.off:
            await self.store.fuse.never()
        if not asked.answered:
            asked.answered, asked.answer = True, answer
            asked.heard(answer)
        assert answer == asked.answer, f"{asked.key}: another answer than the first time"

    async def ask_again(self) -> None:
        """Every request of before, in order. One that got no answer may be refused by now; the others get theirs."""
        for asked in self.asked:
            try:
                await self._send(asked)
            except GreenlightError:
                assert not asked.answered, asked.key

    async def submit(self, *specs: ProposalSpec, **options: Any) -> str:
        batch = BatchSpec(proposals=list(specs), **options)

        async def send(world: World, key: RequestKey) -> str:
            return (await world.submit.submit(CALLER, batch, key)).batch_id

        def heard(batch_id: str) -> None:
            self.batches[batch_id] = len(specs)
            self._follow(batch_id, BatchFollower(batch_id))
            if batch.session_id:
                self._follow(batch.session_id, SessionFollower(batch.session_id))

        return await self.ask("SubmitBatch", send, heard)

    async def add(self, batch_id: str, *specs: ProposalSpec, close: bool = False) -> None:
        def heard(_: Any) -> None:
            self.batches[batch_id] += len(specs)

        await self.ask(
            "AddProposals", lambda w, key: w.add.add(CALLER, batch_id, specs, OnInvalid.REFUSE, close, key), heard
        )

    async def decide(self, batch_id: str, *keys: str, verdict: Verdict = Verdict.APPROVE, **members: Any) -> None:
        """Several at once are decided in one request, each by its own digest."""
        specs: list[DecisionSpec] = []
        for proposal_id in [f"{batch_id}/{key}" for key in keys]:
            digest = (await self.world.proposal(proposal_id)).decidable_digest
            specs.append(DecisionSpec(proposal_id, verdict, digest=digest, **members))

        def heard(answers: Any) -> None:
            for spec, answer in zip(specs, answers, strict=True):
                if answer.kind is None:
                    self.decided.setdefault(spec.proposal_id, []).append((verdict, spec.edited))

        await self.ask("DecideProposals", lambda w, key: w.decide.decide(CALLER, specs, False, key), heard)

    async def confirm(self, session_id: str, *objections: str) -> None:
        """The user's next turn, to which everything was shown."""
        spec = SoftConfirmSpec(session_id, everything=True, objections=dict.fromkeys(objections, "no"))

        def heard(answer: Confirmation) -> None:
            for proposal_id in answer.confirmed:
                self.decided.setdefault(proposal_id, []).append((Verdict.APPROVE, None))
            for proposal_id in answer.objected:
                self.decided.setdefault(proposal_id, []).append((Verdict.REJECT, None))

        await self.ask("SoftConfirm", lambda w, key: w.soft.confirm(CALLER, spec, key), heard)

    async def cancel(self, batch_id: str, *keys: str) -> None:
        ids = [f"{batch_id}/{key}" for key in keys]
        if ids:
            await self.ask("CancelProposals", lambda w, key: w.cancel.proposals(CALLER, ids, "", key), lambda _: None)
            return

        def heard(_: Any) -> None:
            self.cancelled[batch_id] = self.sent(batch_id)

        await self.ask("CancelBatch", lambda w, key: w.cancel.batch(CALLER, batch_id, "", key), heard)

    async def retry(self, batch_id: str) -> None:
        self.cancelled.pop(batch_id, None)

        def heard(answers: Sequence[ItemAnswer]) -> None:
            self.by_hand.update(answer.proposal_id for answer in answers if answer.kind is None)

        await self.ask("RetryProposals", lambda w, key: w.retry.retry(CALLER, [], batch_id, (), "", key), heard)

    async def resolve(self, proposal_id: str, found: Resolution | None = None) -> None:
        """As somebody does who looked: the effect is there, or it is not; or who says how to go on."""
        there = self.tools.effects[proposal_id] > 0
        resolution = found or (Resolution.SUCCEEDED if there else Resolution.RUN_AGAIN)
        result = "{}" if resolution is Resolution.SUCCEEDED else ""
        await self.ask(
            "ResolveProposal",
            lambda w, key: w.resolve.resolve(CALLER, proposal_id, resolution, result, "looked", None, key),
            lambda _: self.by_hand.update([proposal_id]),
        )

    # -- what there is

    def sent(self, batch_id: str) -> int:
        """Calls of a batch that executors let in."""
        return sum(call.origin.batch_id == batch_id for call in self.tools.received)

    async def all(self) -> list[BatchView]:
        return (await self.world.store.list_batches("default", BatchFilter(), None, 1000)).batches

    async def proposals(self, batch_id: str) -> list[Proposal]:
        found = await self.world.store.get_batch_full("default", batch_id, EVERYTHING)
        assert found is not None
        return [view.proposal for view in found[1]]


def names(proposals: Sequence[Proposal]) -> dict[str, str]:
    return {proposal.key: proposal.state.name for proposal in proposals}
