"""The only wiring of the executor: settings in, a service that runs until it is told to stop."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from executor_svc.adapters.journal.sqlite import SqliteJournal
from executor_svc.adapters.observers.spans import SpanObserver
from executor_svc.adapters.runners.guards import keep_tasks_apart, refuse_forks, tool_tasks
from executor_svc.adapters.runners.loop_threads import LoopThreads
from executor_svc.adapters.runners.thread_pool import ThreadPool, Threads
from executor_svc.adapters.toolboxes.reloading import reload_on_change
from executor_svc.adapters.toolboxes.toolset import OpenTools, Toolset
from executor_svc.api.servicer import SERVICE, ExecutorServicer, ServerInfo
from executor_svc.application.executor import Executor, Identity
from executor_svc.application.journal_writer import JournalWriter
from executor_svc.application.ledger import Retention
from executor_svc.application.pulse import Pace
from executor_svc.settings import Settings
from greenlight_tool.spec import MAX_RESULT_LIMIT
from shared.kernel.clock import SystemClock
from shared.kernel.ids import IdSource
from shared.kernel.tasks import Supervisor
from shared.runtime.limits import MAX_REQUEST_BYTES
from shared.runtime.process import end_at_once, say, stop_signal, stop_with_parent, tune_gc
from shared.runtime.server import GrpcServer
from shared.runtime.telemetry.export import Telemetry
from shared.runtime.version import service_version

_log = logging.getLogger(__name__)
_JOURNAL = "journal.db"
_STREAM_END_GRACE = 1.0
_NAMED = 10


class Decline:
    """What has ended of that which the service lives by: said in the log, together with the tools that run.

    `failed`: the service should be stopped. `lost`, as well: it cannot be stopped in order; only the process can end.
    """

    def __init__(self) -> None:
        self.failed = asyncio.Event()
        self.lost = asyncio.Event()
        self.executor: Executor | None = None

    def fail(self, name: str, error: BaseException) -> None:
        if not self.failed.is_set():
            working = self.executor.working() if self.executor else []
            among = ", ".join(working[:_NAMED]) or "none"
            _log.error("%s has ended (%s): the executor cannot go on; tools that run: %s", name, error, among)
        self.failed.set()

    def lose(self, name: str, error: BaseException) -> None:
        self.fail(name, error)
        self.lost.set()


@dataclass(frozen=True, slots=True)
class Serving:
    """A service that runs, until its `decline`."""

    address: str
    executor: Executor
    decline: Decline


@asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[Serving]:
    """Runs the executor within its context; leaving it drains.

    Raises ToolboxError, ListenError, PreconditionError (JOURNAL_LOCKED, JOURNAL_NEWER), UnavailableError
    (JOURNAL_UNAVAILABLE).
    """
    clock, ids, decline = SystemClock(), IdSource(), Decline()
    async with AsyncExitStack() as stack:
        stack.enter_context(_guarded(LoopThreads(settings.threads, settings.look_threads)))
        identity, journal = await _open_journal(stack, settings, clock, ids, decline)
        supervisor = await stack.enter_async_context(Supervisor(decline.fail))
        spans = await _open_spans(stack, settings, identity, clock)
        threads = Threads(ThreadPool(settings.threads), ThreadPool(settings.look_threads, "greenlight-look"))
        stack.callback(threads.close)
        toolset = Toolset(settings.toolbox, clock, threads, supervisor)
        opened = await toolset.open()
        stack.push_async_callback(toolset.close)
        executor = decline.executor = _executor(settings, identity, journal, opened, threads, clock, spans)
        server = GrpcServer(settings.listen, on_lost=decline.lose)
        info = ServerInfo(service_version(), MAX_REQUEST_BYTES, MAX_RESULT_LIMIT, settings.unsafe_call_tool)
        servicer = ExecutorServicer(executor, info, ids)
        servicer.add_to(server.grpc)
        executor.open()
        stack.callback(executor.close)
        supervisor.start(journal.run(), "journal")
        supervisor.start(executor.reminding.run(), "reminders")
        supervisor.start(journal.prune(settings.journal_retention), "pruning of the journal")
        address = await server.start([SERVICE])
        stack.push_async_callback(_drain, server, executor, settings.drain_grace)
        if settings.reload:
            watching = reload_on_change(toolset, executor.replace_tools, executor.unused, supervisor)
            supervisor.start(watching, "reloading toolboxes")
        yield Serving(address, executor, decline)


async def serve(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT; returns the exit code."""
    stopped = stop_signal()
    stop_with_parent(stopped, settings.parent_pipe, settings.drain_grace)
    async with serving(settings) as service:
        tune_gc()
        if settings.unsafe_call_tool:
            _log.warning("--unsafe-call-tool: CallTool runs tools of ANY effect without approval, for whoever asks")
        tools = [f"{spec.name} {spec.version}" for spec in service.executor.specs()]
        _log.info("tools served on %s: %s (%d)", service.address, ", ".join(tools), len(tools))
        boot_id = service.executor.identity.boot_id
        say("ready", service="executor", address=service.address, boot_id=boot_id, tools=len(tools))
        await _until_told(stopped, service.decline)
        _log.info("draining, for up to %g s", settings.drain_grace)
    return 1 if service.decline.failed.is_set() else 0


async def _until_told(stopped: asyncio.Event, decline: Decline) -> None:
    """Returns when the service is to be stopped; ends the process where it cannot be."""
    async with Supervisor() as waiting:
        ends = [waiting.start(stopped.wait(), "signal"), waiting.start(decline.failed.wait(), "failure")]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError as error:  # nobody who is entitled to does that
            decline.lose("the service itself", error)
        if decline.lost.is_set():
            end_at_once(1)


async def _open_journal(
    stack: AsyncExitStack, settings: Settings, clock: SystemClock, ids: IdSource, decline: Decline
) -> tuple[Identity, JournalWriter]:
    """Who this is, is written there."""
    path, boot_id = settings.data / _JOURNAL, ids.new()
    journal = SqliteJournal(path, clock)
    opened = await journal.open(boot_id, ids.new())
    stack.push_async_callback(_close_journal, journal, decline)
    if opened.copied:
        _log.warning("the journal %s was copied or moved here: of calls before now it can say nothing", path)
    return Identity(opened.executor_id, boot_id, opened.earlier), JournalWriter(journal, clock, opened.position)


async def _close_journal(journal: SqliteJournal, decline: Decline) -> None:
    """As long as threads of tools go on, no other start may say that their calls are over."""
    await journal.close(at_work=decline.executor is not None and bool(decline.executor.working()))


def _executor(
    settings: Settings,
    identity: Identity,
    journal: JournalWriter,
    opened: OpenTools,
    threads: Threads,
    clock: SystemClock,
    spans: SpanObserver | None,
) -> Executor:
    return Executor(
        identity=identity,
        tools=opened.tools,
        slots=settings.slots,
        stuck_looks=threads.looks_of_a_tool,
        clock=clock,
        journal=journal,
        pace=Pace(stop_grace=settings.stop_grace, loop_block=settings.loop_block_limit),
        retention=Retention(
            seconds=settings.outcome_retention,
            reminder_seconds=settings.reminder_after,
            unacknowledged_calls=settings.max_unacknowledged_calls,
            unacknowledged_bytes=settings.max_unacknowledged_bytes,
        ),
        observer=spans,
    )


async def _open_spans(
    stack: AsyncExitStack, settings: Settings, identity: Identity, clock: SystemClock
) -> SpanObserver | None:
    if not settings.otlp_endpoint:
        return None
    telemetry = Telemetry(
        settings.otlp_endpoint,
        service="greenlight-executor",
        version=service_version(),
        instance_id=identity.boot_id,
        clock=clock,
        metrics=False,
    )
    await stack.enter_async_context(telemetry)
    return SpanObserver(telemetry.spans)


async def _drain(server: GrpcServer, executor: Executor, grace: float) -> None:
    await server.not_serving()
    await executor.drain(grace)
    executor.end_streams()
    await server.stop(_STREAM_END_GRACE)


@contextmanager
def _guarded(threads: LoopThreads) -> Generator[None]:
    """What a tool does to the process is held to its call, as long as the service runs.

    The loop's threads stay; they end with the loop.
    """
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(tool_tasks)
    loop.set_default_executor(threads)
    keep_tasks_apart()
    refuse_forks()
    try:
        yield
    finally:
        refuse_forks(refuse=False)
        loop.set_task_factory(before)
