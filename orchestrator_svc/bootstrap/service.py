"""A service that runs until it is told to stop, or until another orchestrator has taken it for dead."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from orchestrator_svc.adapters.store.opening import StoppedError
from orchestrator_svc.api.health import Health
from orchestrator_svc.api.servicer import SERVICE_NAME, OrchestratorApi, add_to_server
from orchestrator_svc.api.standby import Standby
from orchestrator_svc.application.commands.router import CommandRouter
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.polling import Polling
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.application.waking import Looks, Waking
from orchestrator_svc.bootstrap.leaving import leave
from orchestrator_svc.bootstrap.parts import Parts, open_parts
from orchestrator_svc.bootstrap.use_cases import facts, make_router, make_use_cases
from orchestrator_svc.settings import Settings
from shared.kernel.tasks import Supervisor
from shared.runtime.limits import FRESH_CONNECTIONS
from shared.runtime.process import say, stop_signal, stop_with_parent, tune_gc
from shared.runtime.server import GrpcServer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """A service that runs. `failed` is set if its own work has died, or is over: then it should be ended."""

    address: str
    incarnation_id: str
    engine: Engine
    failed: asyncio.Event


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
        server = GrpcServer(settings.listen, options=FRESH_CONNECTIONS)
        standby = Standby(server, SERVICE_NAME)
        stands_by = settings.standby and not settings.store.get_secret_value()
        if stands_by:
            stack.push_async_callback(server.stop, 0)
            say("standby", service="orchestrator", address=await standby.begin())
        parts = await open_parts(stack, settings, stopped or asyncio.Event(), failed.set)
        supervisor = await stack.enter_async_context(Supervisor(fail))
        requests = Requests(parts.store, parts.clock, parts.engine.recorder.answered)
        router = make_router(parts, requests)
        use_cases = make_use_cases(parts, requests, router)
        await _start(supervisor, parts, router)
        supervisor.start(requests.run(), "requests")
        supervisor.start(use_cases.prune.run(), "prune")
        await parts.executors.start()
        stack.push_async_callback(parts.executors.close)
        api = OrchestratorApi(use_cases, facts(parts), frozenset(settings.tenants) or None)
        services = add_to_server(api, server.grpc)
        address = await (standby.end() if stands_by else server.start(services))
        health = Health(server, lambda: parts.engine.draining)
        engine = parts.engine
        supervisor.start(health.follow("recorder", lambda bad: engine.recorder.until(stalled=bad)), "health")
        supervisor.start(health.follow("store", lambda bad: parts.store.until_kept(not bad)), "health of the store")
        supervisor.start(health.follow("lease", lambda bad: engine.tenure.until(lapsed=bad)), "health of the lease")
        stack.push_async_callback(leave, server, api, parts, failed)
        yield Serving(address, parts.incarnation.id, engine, failed)


async def _start(supervisor: Supervisor, parts: Parts, router: CommandRouter) -> None:
    """What runs by itself. Where others work on the store, the time is the store's from the first."""
    owner = parts.owner
    if parts.store.shared:
        await owner.renew()
        waking = Waking(parts.wakeups, parts.feed, Looks(router.look, router.answered, owner.look))
        supervisor.start(owner.keep_lease(), "lease")
        supervisor.start(owner.end_others_on(), "leases of others")
        supervisor.start(waking.run(), "wake-ups")
        supervisor.start(Polling(parts.store, parts.feed, lambda: owner.has_company).run(), "polling")
        supervisor.start(router.receive(), "commands")
    await parts.engine.prepare()
    supervisor.start(parts.engine.run(), "engine")
    supervisor.start(parts.catalogue.run(), "catalogue")
    supervisor.start(owner.sweep_on(), "sweep")
    supervisor.start(owner.let_go_on(), "letting go")


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
        _log.info("serving on %s", service.address)
        say("ready", service="orchestrator", address=service.address, incarnation_id=service.incarnation_id)
        async with Supervisor() as waiting:
            ends = [waiting.start(stopped.wait(), "signal"), waiting.start(service.failed.wait(), "failure")]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        _log.info("draining, for up to %g s", settings.drain_grace)
    return 1 if service.failed.is_set() else 0
