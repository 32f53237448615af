"""An orchestrator without wire, disk or time: the real engine and use cases on memory adapters and a manual clock."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.memory import MemoryExecutors
from orchestrator_svc.adapters.feed.memory import MemoryFeed
from orchestrator_svc.adapters.observer.null import NullObserver
from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.adapters.store.memory import MemoryStore
from orchestrator_svc.adapters.templates.folder import FolderTemplates
from orchestrator_svc.adapters.wakeups.memory import MemoryWakeups, WakeupBus
from orchestrator_svc.application.add_proposals import AddProposals
from orchestrator_svc.application.caller import Caller
from orchestrator_svc.application.cancel import Cancel
from orchestrator_svc.application.catalogue import ToolCatalogue
from orchestrator_svc.application.commands.neighbours import Neighbours
from orchestrator_svc.application.commands.router import CommandRouter
from orchestrator_svc.application.decide import DecideProposals, DecisionSpec
from orchestrator_svc.application.each_item import EachItem
from orchestrator_svc.application.engine.live import LiveBatches
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.engine.ownership import Owner
from orchestrator_svc.application.engine.settings import EngineSettings
from orchestrator_svc.application.expand_template import ExpandTemplate
from orchestrator_svc.application.items import ItemAnswer
from orchestrator_svc.application.judging import Judging, JudgingSettings
from orchestrator_svc.application.record_ending import RecordEnding
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.application.resolve import ResolveProposal
from orchestrator_svc.application.resume_batch import ResumeBatch
from orchestrator_svc.application.retry_proposals import RetryProposals
from orchestrator_svc.application.sessions import SessionContexts, Sessions
from orchestrator_svc.application.soft_confirm import SoftConfirm
from orchestrator_svc.application.submit import BatchSpec, SubmitBatch
from orchestrator_svc.application.waking import Looks, Waking
from orchestrator_svc.application.watch import Watch
from orchestrator_svc.domain.proposal import Proposal, ProposalSpec, Verdict
from orchestrator_svc.domain.tool import Effect, RetryPolicy, Tier, ToolDescriptor, ToolKey
from orchestrator_svc.ports.store import Incarnation
from orchestrator_svc.ports.views import BatchView
from shared.kernel.ids import IdSource
from shared.kernel.tasks import Supervisor
from tests.support.clock import ManualClock
from tests.support.stores import EVERYTHING, WholeStore

CALLER = Caller("default", "user:ann")
SECOND = 1_000_000_000
OBJECT = '{"type":"object"}'
SETTINGS = EngineSettings(queue_timeout=30.0, reattach_window=60.0, answer_margin=1e9)
"""A call may take for ever, unless a test is about that."""


def tool(name: str, effect: Effect = Effect.READ, tier: Tier | None = None, schema: str = OBJECT) -> ToolDescriptor:
    """A tool of version 1; its tier from its effect."""
    return ToolDescriptor(ToolKey(name, "1"), "", schema, "", effect, tier or Tier(effect.value))


TOOLS = (
    tool("read"),
    tool("write", Effect.IDEMPOTENT, Tier.AUTO),
    tool("note", Effect.IDEMPOTENT),
    tool("pay", Effect.NON_IDEMPOTENT),
    tool("send", Effect.NON_IDEMPOTENT, Tier.AUTO),
)


class World:
    """`store` may be wrapped to misbehave, `executors` may outlive a world. Start and end it with `running`."""

    def __init__(
        self,
        store: WholeStore | None = None,
        clock: ManualClock | None = None,
        executors: MemoryExecutors | None = None,
        settings: EngineSettings = SETTINGS,
        bus: WakeupBus | None = None,
        resolution_deadline: int | None = None,
    ) -> None:
        self.clock, self.settings = clock or ManualClock(), settings
        self.codec = ProtobufEventCodec()
        self.store: WholeStore = store or MemoryStore(self.codec, clock=self.clock)
        self.executors = executors or MemoryExecutors(self.clock)
        self.feed = MemoryFeed()
        self.ids = IdSource(self.clock)
        schemas = JsonSchemaRsCompiler()
        self.catalogue = ToolCatalogue(self.store, schemas, self.executors, self.clock)
        self.live = LiveBatches(self.store, self.catalogue, resolution_deadline=resolution_deadline)
        self.engine = Engine(
            self.store,
            self.executors,
            self.feed,
            NullObserver(),
            self.live,
            self.clock,
            settings,
            self.catalogue.seen,
        )
        self.taken_over = False
        self.incarnation = Incarnation(self.ids.new(), self.clock.time_ns(), "test")
        self.wakeups = MemoryWakeups(bus or WakeupBus(), self.incarnation.id)
        period = settings.lease_period
        self.owner = Owner(
            self.store, self.engine, self.wakeups, self.clock, period, lambda time, age: None, self._taken
        )
        self.requests = Requests(self.store, self.clock, self.engine.recorder.answered)
        self.judging = Judging(self.catalogue, JudgingSettings(retry=RetryPolicy(3, SECOND, 30 * SECOND)))
        router = self.commands = self.router()
        each_item = EachItem(self.requests, router)
        templates = ExpandTemplate(FolderTemplates([], schemas), schemas)
        contexts = SessionContexts(self.store, shared=self.store.shared)
        self.sessions = Sessions(self.store, contexts, self.requests, self.ids, self.clock)
        self.submit = SubmitBatch(
            self.engine,
            self.judging,
            templates,
            contexts,
            self.requests,
            self.ids,
            self.clock,
            self.incarnation.id,
        )
        self.add = AddProposals(self.engine, router, self.judging)
        self.decide = DecideProposals(each_item, self.judging, self_approval=True)
        self.cancel = Cancel(router, each_item, 5 * SECOND, self.engine.sender.take_back)
        self.retry = RetryProposals(router, each_item)
        self.resume = ResumeBatch(router)
        self.resolve = ResolveProposal(router)
        RecordEnding(self.engine.late, router, self.store)
        self.watch = Watch(self.store, self.feed, self.codec, self.clock, heartbeat=15.0)
        self.soft = SoftConfirm(router, self.store, self.requests, self.watch, self.clock, 600 * SECOND, 3600 * SECOND)

    def _taken(self) -> None:
        self.taken_over = True

    def router(self) -> CommandRouter:
        """One more, for use cases beside the world's own."""
        store, period = self.store, self.settings.lease_period
        to = Neighbours(store, self.wakeups, self.incarnation.id, lambda: self.owner.has_company, 3 * period)
        return CommandRouter(self.engine, self.requests, self.ids, self.clock, to if store.shared else None)

    def waking(self) -> Waking:
        return Waking(self.wakeups, self.feed, Looks(self.commands.look, self.commands.answered, self.owner.look))

    async def settle(self) -> None:
        """Until nothing moves any more by itself."""
        for _ in range(60):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)
        self.engine.look()
        self.owner.look()
        await self.settle()

    async def run(self, *specs: ProposalSpec, **options: object) -> str:
        """Submits, and lets it get as far as it gets. Returns the batch id."""
        spec = BatchSpec(proposals=list(specs), **options)  # type: ignore[arg-type]
        prepared = await self.submit.submit(CALLER, spec, None)
        await self.settle()
        return prepared.batch_id

    async def approve(self, proposal_id: str, *, caller: Caller = CALLER, **options: object) -> ItemAnswer:
        """By the digest that stands."""
        proposal = await self.proposal(proposal_id)
        members: dict[str, object] = {"digest": proposal.decidable_digest, **options}
        spec = DecisionSpec(proposal_id, Verdict.APPROVE, **members)  # type: ignore[arg-type]
        (answer,) = await self.decide.decide(caller, [spec], False, None)
        await self.settle()
        return answer

    async def proposal(self, proposal_id: str) -> Proposal:
        """As it is on record."""
        batch_id, _, key = proposal_id.partition("/")
        view = await self.store.get_proposal("default", batch_id, key)
        assert view is not None
        return view.proposal

    async def states(self, batch_id: str) -> dict[str, str]:
        """Key -> state, as on record."""
        found = await self.store.get_batch_full("default", batch_id, EVERYTHING)
        assert found is not None
        return {view.proposal.key: view.proposal.state.name for view in found[1]}

    async def batch(self, batch_id: str) -> BatchView:
        view = await self.store.get_batch("default", batch_id)
        assert view is not None
        return view


@asynccontextmanager
async def running(world: World, tools: Sequence[ToolDescriptor] = TOOLS, *, slots: int = 100) -> AsyncGenerator[World]:
    """Starts the engine; with tools also one executor (`world.executors.replica` would be its name in production)."""
    async with Supervisor() as supervisor:
        await world.store.start(world.incarnation)
        await world.catalogue.load()
        await world.engine.prepare()
        supervisor.start(world.engine.run(), "engine")
        supervisor.start(world.owner.sweep_on(), "sweep")
        supervisor.start(world.owner.let_go_on(), "let go")
        supervisor.start(world.catalogue.run(), "catalogue")
        supervisor.start(world.commands.receive(), "commands")
        if world.store.shared:
            supervisor.start(world.owner.end_others_on(), "leases of others")
            await world.wakeups.start()
            supervisor.start(world.waking().run(), "wake-ups")
        if tools:
            world.executors.add(tools, slots=slots)
        await world.settle()
        yield world
