"""The only wiring of the orchestrator: settings in, a service that runs until it is told to stop."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.grpc import GrpcExecutors
from orchestrator_svc.adapters.feed.memory import MemoryFeed
from orchestrator_svc.adapters.observer.logged import LoggedBatches
from orchestrator_svc.adapters.observer.null import NullObserver
from orchestrator_svc.adapters.observer.telemetry import TelemetryObserver
from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.adapters.schemas.limits import PARAMETERS
from orchestrator_svc.adapters.store.opening import StoppedError, StoreChoice, start_unless
from orchestrator_svc.adapters.templates.folder import FolderTemplates
from orchestrator_svc.api.health import Health
from orchestrator_svc.api.servicer import SERVICE_NAME, OrchestratorApi, add_to_server
from orchestrator_svc.api.standby import Standby
from orchestrator_svc.api.use_cases import ServerFacts, UseCases
from orchestrator_svc.application.add_proposals import AddProposals
from orchestrator_svc.application.cancel import Cancel
from orchestrator_svc.application.catalogue import ToolCatalogue
from orchestrator_svc.application.decide import DecideProposals
from orchestrator_svc.application.each_item import EachItem
from orchestrator_svc.application.engine.live import LiveBatches
from orchestrator_svc.application.engine.loop import MAX_PROBLEMS, Engine
from orchestrator_svc.application.engine.settings import EngineSettings
from orchestrator_svc.application.expand_template import ExpandTemplate
from orchestrator_svc.application.judging import Judging, JudgingSettings
from orchestrator_svc.application.prune import PruneEvents
from orchestrator_svc.application.queries import Queries
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.application.resolve import MAX_RESULT, ResolveProposal
from orchestrator_svc.application.resume_batch import ResumeBatch
from orchestrator_svc.application.retry_proposals import RetryProposals
from orchestrator_svc.application.sessions import SessionContexts, Sessions
from orchestrator_svc.application.soft_confirm import SoftConfirm
from orchestrator_svc.application.submit import SubmitBatch
from orchestrator_svc.application.summaries import Summaries
from orchestrator_svc.application.watch import Watch
from orchestrator_svc.domain.references import MAX_BOUND_BYTES
from orchestrator_svc.domain.tool import RetryPolicy
from orchestrator_svc.ports.observer import Observer
from orchestrator_svc.ports.store import Incarnation, Store
from orchestrator_svc.settings import Settings
from shared.kernel.clock import SystemClock
from shared.kernel.ids import IdSource
from shared.kernel.tasks import Supervisor
from shared.runtime.limits import MAX_REQUEST_BYTES
from shared.runtime.process import say, stop_signal, stop_with_parent, tune_gc
from shared.runtime.server import GrpcServer
from shared.runtime.telemetry.export import Telemetry
from shared.runtime.version import service_version

_log = logging.getLogger(__name__)
_STREAM_END_GRACE = 1.0
_TOOL_TIMEOUT = 30.0


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


@dataclass(frozen=True, slots=True)
class Serving:
    """A service that runs. `failed` is set if its own work has died: then it should be ended."""

    address: str
    incarnation_id: str
    recovered: int
    engine: Engine
    failed: asyncio.Event


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the use cases are made of."""

    settings: Settings
    incarnation: Incarnation
    clock: SystemClock
    ids: IdSource
    codec: ProtobufEventCodec
    store: Store
    feed: MemoryFeed
    executors: GrpcExecutors
    catalogue: ToolCatalogue
    requests: Requests
    engine: Engine


@asynccontextmanager
async def serving(settings: Settings, stopped: asyncio.Event | None = None) -> AsyncGenerator[Serving]:
    """Runs the orchestrator within its context; leaving it drains.

    Raises PreconditionError (STORE_LOCKED, STORE_NEWER, STORE_UNSUITABLE), UnavailableError (STORE_UNAVAILABLE),
    InvalidError (STORE_INVALID, TEMPLATE_INVALID), ListenError; StoppedError where `stopped` was set first.
    """
    failed = asyncio.Event()

    def fail(name: str, error: BaseException) -> None:
        failed.set()

    async with AsyncExitStack() as stack:
        server = GrpcServer(settings.listen)
        standby = Standby(server, SERVICE_NAME)
        if settings.standby:
            stack.push_async_callback(server.stop, 0)
            say("standby", service="orchestrator", address=await standby.begin())
        parts = await _open(stack, settings, stopped or asyncio.Event(), failed.set)
        supervisor = await stack.enter_async_context(Supervisor(fail))
        recovered = await parts.engine.recover()
        supervisor.start(parts.engine.run(), "engine")
        supervisor.start(parts.catalogue.run(), "catalogue")
        supervisor.start(parts.requests.run(), "requests")
        use_cases = _use_cases(parts)
        supervisor.start(use_cases.prune.run(), "prune")
        await parts.executors.start()
        stack.push_async_callback(parts.executors.close)
        api = OrchestratorApi(use_cases, _facts(parts), frozenset(settings.tenants) or None)
        services = add_to_server(api, server.grpc)
        address = await (standby.end() if settings.standby else server.start(services))
        health = Health(server, lambda: parts.engine.draining)
        supervisor.start(health.follow("recorder", lambda bad: parts.engine.recorder.until(stalled=bad)), "health")
        supervisor.start(health.follow("store", lambda bad: parts.store.until_kept(not bad)), "health of the store")
        stack.push_async_callback(_drain, server, api, parts.engine, settings.drain_grace, failed)
        yield Serving(address, parts.incarnation.id, recovered, parts.engine, failed)


async def serve(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT; returns the exit code."""
    stopped = stop_signal()
    stop_with_parent(stopped, settings.parent_pipe, settings.drain_grace)
    try:
        return await _serve(settings, stopped)
    except StoppedError:
        return 0


async def _serve(settings: Settings, stopped: asyncio.Event) -> int:
    async with serving(settings, stopped) as service:
        tune_gc()
        if settings.self_approval:
            _log.warning("identity is off: every caller has every role, and may approve its own HARD proposals")
        _log.info("serving on %s, %d unfinished batches taken up", service.address, service.recovered)
        say("ready", service="orchestrator", address=service.address, incarnation_id=service.incarnation_id)
        async with Supervisor() as waiting:
            ends = [waiting.start(stopped.wait(), "signal"), waiting.start(service.failed.wait(), "failure")]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        _log.info("draining, for up to %g s", settings.drain_grace)
    return 1 if service.failed.is_set() else 0


async def _open(
    stack: AsyncExitStack, settings: Settings, stopped: asyncio.Event, on_taken: Callable[[], None]
) -> _Parts:
    """Opens what holds resources, the store first."""
    clock, ids, codec = SystemClock(), IdSource(), ProtobufEventCodec()
    incarnation = Incarnation(ids.new(), clock.time_ns(), service_version())
    choice = StoreChoice(settings.store.get_secret_value(), settings.data, settings.standby)
    store = choice.make(codec, clock, on_taken)
    await (start_unless(stopped, store, incarnation) if settings.standby else store.start(incarnation))
    stack.push_async_callback(store.close)
    executors = GrpcExecutors(
        settings.executors,
        incarnation_id=incarnation.id,
        version=service_version(),
        clock=clock,
        resolve_interval=settings.resolve_interval,
    )
    catalogue = ToolCatalogue(store, JsonSchemaRsCompiler(), executors, clock)
    await catalogue.load()
    feed = MemoryFeed()
    observer = await _observer(stack, settings, incarnation, clock)
    deadline = _ns(settings.resolution_deadline) or None
    live = LiveBatches(store, catalogue, settings.max_batch_arguments_bytes, deadline)
    engine = Engine(store, executors, feed, observer, live, clock, _engine_settings(settings), catalogue.seen)
    requests = Requests(store, clock, engine.recorder.answered)
    return _Parts(settings, incarnation, clock, ids, codec, store, feed, executors, catalogue, requests, engine)


async def _observer(
    stack: AsyncExitStack, settings: Settings, incarnation: Incarnation, clock: SystemClock
) -> Observer:
    if not settings.otlp_endpoint:
        return LoggedBatches(NullObserver())
    telemetry = Telemetry(
        settings.otlp_endpoint,
        service="greenlight-orchestrator",
        version=service_version(),
        instance_id=incarnation.id,
        clock=clock,
        metrics=settings.metrics_exporter == "otlp",
    )
    await stack.enter_async_context(telemetry)
    observer = TelemetryObserver(telemetry.spans, telemetry.meters, clock, settings.sampled_per_second)
    return LoggedBatches(observer)


def _engine_settings(settings: Settings) -> EngineSettings:
    return EngineSettings(
        cancel_grace=_ns(settings.cancel_grace),
        queue_timeout=settings.queue_timeout,
        reattach_window=settings.reattach_window,
        answer_margin=settings.answer_margin,
        store_patience=settings.store_patience,
        max_backlog=settings.max_backlog,
        probe_max_delay=settings.probe_max_delay,
    )


def _judging_settings(settings: Settings) -> JudgingSettings:
    retry = RetryPolicy(settings.retry_attempts, _ns(settings.retry_initial_delay), _ns(settings.retry_max_delay))
    return JudgingSettings(
        max_arguments=settings.max_arguments_bytes,
        max_proposals=settings.max_proposals,
        max_batch_arguments=settings.max_batch_arguments_bytes,
        soft_approval_deadline=_ns(settings.soft_approval_deadline),
        hard_approval_deadline=_ns(settings.hard_approval_deadline),
        idle_timeout=_ns(settings.idle_timeout),
        retry=retry,
    )


def _use_cases(parts: _Parts) -> UseCases:
    settings, engine, store, requests = parts.settings, parts.engine, parts.store, parts.requests
    schemas = JsonSchemaRsCompiler(PARAMETERS)
    templates = FolderTemplates(settings.templates, schemas)
    expand = ExpandTemplate(templates, schemas, parts.catalogue, settings.max_batch_arguments_bytes)
    judging = Judging(parts.catalogue, _judging_settings(settings))
    contexts, each_item = SessionContexts(store), EachItem(engine, requests)
    watch = Watch(store, parts.feed, parts.codec, parts.clock, settings.heartbeat_interval)
    summaries = Summaries(store, engine.live, parts.executors, engine.outlook)
    return UseCases(
        submit=SubmitBatch(engine, judging, expand, contexts, requests, parts.ids, parts.clock, parts.incarnation.id),
        add=AddProposals(engine, judging, requests),
        decide=DecideProposals(each_item, judging, settings.self_approval),
        soft_confirm=SoftConfirm(
            engine,
            store,
            requests,
            watch,
            parts.clock,
            _ns(settings.soft_window),
            _ns(settings.soft_approval_deadline),
        ),
        cancel=Cancel(engine, requests, each_item, _ns(settings.cancel_grace)),
        retry=RetryProposals(engine, requests, each_item),
        resume=ResumeBatch(engine, requests),
        resolve=ResolveProposal(engine, requests),
        prune=PruneEvents(store, parts.clock, settings.events_retention),
        watch=watch,
        queries=Queries(store, summaries, parts.catalogue, parts.executors, templates),
        sessions=Sessions(store, contexts, requests, parts.ids, parts.clock),
        summaries=summaries,
    )


def _facts(parts: _Parts) -> ServerFacts:
    settings = parts.settings
    return ServerFacts(
        version=service_version(),
        incarnation_id=parts.incarnation.id,
        start_time=parts.incarnation.start_time,
        max_request_bytes=MAX_REQUEST_BYTES,
        max_proposals_per_batch=settings.max_proposals,
        max_arguments_bytes=settings.max_arguments_bytes,
        max_bound_arguments_bytes=MAX_BOUND_BYTES,
        max_batch_arguments_bytes=settings.max_batch_arguments_bytes,
        max_result_bytes=2 * MAX_RESULT,
        soft_window=_ns(settings.soft_window),
        soft_approval_deadline=_ns(settings.soft_approval_deadline),
        hard_approval_deadline=_ns(settings.hard_approval_deadline),
        tool_timeout=_ns(_TOOL_TIMEOUT),
        queue_timeout=_ns(settings.queue_timeout),
        heartbeat_interval=_ns(settings.heartbeat_interval),
        idle_timeout=_ns(settings.idle_timeout),
        self_approval=settings.self_approval,
        executors_connected=parts.executors.connected_count,
        live_batches=lambda: len(parts.engine.live),
        problems=lambda: [*parts.engine.problems(), *parts.catalogue.problems()][:MAX_PROBLEMS],
    )


async def _drain(server: GrpcServer, api: OrchestratorApi, engine: Engine, grace: float, failed: asyncio.Event) -> None:
    """Not serving any more; what runs has `grace` seconds to end and be recorded. An engine that died has none."""
    await server.not_serving()
    engine.drain()
    if failed.is_set():
        return await server.stop(0)
    try:
        async with asyncio.timeout(grace):
            await engine.landed()
    except TimeoutError:
        _log.warning("what still runs is left to the executors")
    await engine.recorder.drain()
    if engine.recorder.stalled:
        _log.error("the store takes nothing: what it has not taken is lost; nobody was told that it is recorded")
    await server.stop(_STREAM_END_GRACE)
    await api.drain()
