"""What an orchestrator is made of, opened in order: the store first, and what stands on it."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from orchestrator_svc.adapters.codec.protobuf import ProtobufEventCodec
from orchestrator_svc.adapters.executor.grpc import GrpcExecutors
from orchestrator_svc.adapters.feed.memory import MemoryFeed
from orchestrator_svc.adapters.feed.telling import TellingFeed
from orchestrator_svc.adapters.observer.logged import LoggedBatches
from orchestrator_svc.adapters.observer.null import NullObserver
from orchestrator_svc.adapters.observer.telemetry import TelemetryObserver
from orchestrator_svc.adapters.schemas.jsonschema_rs import JsonSchemaRsCompiler
from orchestrator_svc.adapters.store.opening import StoreChoice, start_unless
from orchestrator_svc.adapters.store.postgresql import PostgresqlStore
from orchestrator_svc.adapters.store.postgresql_engines import parse_url
from orchestrator_svc.adapters.store.sqlite import SqliteStore
from orchestrator_svc.adapters.wakeups.memory import MemoryWakeups, WakeupBus
from orchestrator_svc.adapters.wakeups.postgresql import PostgresqlWakeups
from orchestrator_svc.application.catalogue import ToolCatalogue
from orchestrator_svc.application.engine.live import LiveBatches
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.engine.ownership import Owner
from orchestrator_svc.application.engine.settings import EngineSettings
from orchestrator_svc.ports.feed import Feed
from orchestrator_svc.ports.observer import Observer
from orchestrator_svc.ports.store import Incarnation
from orchestrator_svc.ports.wakeups import Wakeups
from orchestrator_svc.settings import Settings
from shared.kernel.clock import AnchoredClock
from shared.kernel.ids import IdSource
from shared.runtime.telemetry.export import Telemetry
from shared.runtime.version import service_version


@dataclass(frozen=True, slots=True)
class Parts:
    """What the use cases are made of."""

    settings: Settings
    incarnation: Incarnation
    clock: AnchoredClock
    ids: IdSource
    codec: ProtobufEventCodec
    store: PostgresqlStore | SqliteStore
    wakeups: Wakeups
    feed: Feed
    executors: GrpcExecutors
    catalogue: ToolCatalogue
    engine: Engine
    owner: Owner


async def open_parts(
    stack: AsyncExitStack, settings: Settings, stopped: asyncio.Event, on_over: Callable[[], None]
) -> Parts:
    """Raises as `serving`. `on_over` is called where another orchestrator has taken over what was this one's, or what
    follows the executors has died."""
    clock, codec = AnchoredClock(), ProtobufEventCodec()
    # Its id is made before the clock is held to the store's, and must not push those after it into the future.
    incarnation = Incarnation(IdSource(clock).new(), clock.time_ns(), service_version())
    ids = IdSource(clock)
    address = settings.store.get_secret_value()
    store = StoreChoice(address, settings.data, settings.standby).make(codec, clock)
    await (start_unless(stopped, store, incarnation) if settings.standby else store.start(incarnation))
    stack.push_async_callback(store.close)
    wakeups = await _wakeups(stack, address, incarnation)
    executors = GrpcExecutors(
        settings.executors,
        incarnation_id=incarnation.id,
        version=service_version(),
        clock=clock,
        resolve_interval=settings.resolve_interval,
        on_failure=lambda _name, _error: on_over(),
    )
    catalogue = ToolCatalogue(store, JsonSchemaRsCompiler(), executors, clock)
    await catalogue.load()
    feed = _feed(store, wakeups, lambda: owner.has_company)
    observer = await _observer(stack, settings, incarnation, clock)
    resolution_deadline = round(settings.resolution_deadline * 1e9) or None
    live = LiveBatches(store, catalogue, settings.max_batch_arguments_bytes, resolution_deadline)
    engine = Engine(store, executors, feed, observer, live, clock, _engine_settings(settings), catalogue.seen)
    owner = Owner(store, engine, wakeups, clock, settings.lease_period, clock.anchor, on_over)
    return Parts(settings, incarnation, clock, ids, codec, store, wakeups, feed, executors, catalogue, engine, owner)


async def _wakeups(stack: AsyncExitStack, address: str, incarnation: Incarnation) -> Wakeups:
    """Between those that work on one store at the same time."""
    if address:
        wakeups = PostgresqlWakeups(parse_url(address), incarnation.id)
    else:
        wakeups = MemoryWakeups(WakeupBus(), incarnation.id)
    await wakeups.start()
    stack.push_async_callback(wakeups.close)
    return wakeups


def _feed(store: PostgresqlStore | SqliteStore, wakeups: Wakeups, others: Callable[[], bool]) -> Feed:
    return TellingFeed(MemoryFeed(shared=True), wakeups, others) if store.shared else MemoryFeed()


async def _observer(
    stack: AsyncExitStack, settings: Settings, incarnation: Incarnation, clock: AnchoredClock
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
        cancel_grace=round(settings.cancel_grace * 1e9),
        queue_timeout=settings.queue_timeout,
        reattach_window=settings.reattach_window,
        answer_margin=settings.answer_margin,
        store_patience=settings.store_patience,
        max_backlog=settings.max_backlog,
        probe_max_delay=settings.probe_max_delay,
        lease_period=settings.lease_period,
    )
