"""All toolboxes of an executor, opened together: their tools made runnable, their lifespans entered and left."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from executor_svc.adapters.runners.coroutines import CoroutineTool, GeneratorTool
from executor_svc.adapters.runners.probes import PythonProbe
from executor_svc.adapters.runners.thread_pool import Threads
from executor_svc.adapters.runners.threads import ThreadTool
from executor_svc.adapters.runners.translation import Lifespan
from executor_svc.adapters.toolboxes.python_module import PythonToolbox, ToolboxError, load, load_anew, own_modules
from executor_svc.domain.tool import Cost, Effect, RetryPolicy, Tier, ToolSpec
from executor_svc.ports.tool import Tool
from greenlight_tool import Tool as DeclaredTool
from greenlight_tool.declaration import Kind
from shared.kernel.clock import Clock
from shared.kernel.tasks import Supervisor

_log = logging.getLogger(__name__)
# They go out in one message, which stock clients take up to 4 MiB.
_DESCRIPTORS_LIMIT = 3 << 20


class OpenTools:
    """One loading of all toolboxes: `tools` run as long as it is open."""

    def __init__(self, toolboxes: Sequence[PythonToolbox], clock: Clock, threads: Threads) -> None:
        self._lifespans = [(toolbox, Lifespan()) for toolbox in toolboxes]
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        found: dict[tuple[str, str], Tool] = {}
        for toolbox, lifespan in self._lifespans:
            for declared in toolbox.tools:
                tool = _runnable(declared, lifespan, clock, threads)
                if found.setdefault(tool.spec.key, tool).spec != tool.spec:
                    name, version = tool.spec.key
                    raise ToolboxError(
                        f"toolbox {toolbox.reference}: tool {name} {version} is described a second time, differently: "
                        "give it another name or version"
                    )
        self.tools = list(found.values())
        self.roots = {toolbox.root for toolbox in toolboxes}
        _check_size(self.tools)

    async def open(self, supervisor: Supervisor) -> None:
        """Enters the lifespans, in the order of the toolboxes. Raises ToolboxError."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # In a task of its own: what is entered in one task must be left in the same.
        self._task = supervisor.start(self._hold(opened), "toolboxes")
        await opened

    async def close(self) -> None:
        """Leaves the lifespans, the last one first."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _hold(self, opened: asyncio.Future[None]) -> None:
        try:
            async with contextlib.AsyncExitStack() as stack:
                for toolbox, lifespan in self._lifespans:
                    if toolbox.lifespan is not None:
                        lifespan.value = await self._enter(stack, toolbox.reference, toolbox.lifespan)
                opened.set_result(None)
                await self._closing.wait()
        except ToolboxError as error:
            opened.set_exception(error)
        except Exception:
            _log.exception("a toolbox's lifespan has failed on leaving")

    async def _enter(
        self, stack: contextlib.AsyncExitStack, reference: str, lifespan: contextlib.AbstractAsyncContextManager[Any]
    ) -> Any:
        try:
            return await stack.enter_async_context(lifespan)
        except Exception as error:
            raise ToolboxError(f"toolbox {reference}: lifespan: {type(error).__name__}: {error}") from error


class Toolset:
    """The toolboxes by reference (module or .py file). `current` is what was loaded last."""

    def __init__(self, references: Sequence[str], clock: Clock, threads: Threads, supervisor: Supervisor) -> None:
        self.current: OpenTools | None = None
        self._references = list(references)
        self._clock = clock
        self._threads = threads
        self._supervisor = supervisor
        self._not_ours = frozenset(sys.modules)

    async def open(self) -> OpenTools:
        """Loads them for the first time. Raises ToolboxError."""
        return await self._open(load(self._references))

    async def reload(self) -> OpenTools:
        """Loads them anew. Raises ToolboxError, and then what was open stays open and `current`."""
        roots = self.current.roots if self.current else ()
        before = {tool.spec.key: tool.spec for tool in self.current.tools} if self.current else {}
        opened = await self._open(load_anew(self._references, roots, self._not_ours))
        for tool in opened.tools:
            if before.get(tool.spec.key, tool.spec) != tool.spec:
                name, version = tool.spec.key
                _log.warning(
                    "tool %s %s is described differently than before: who has seen the old description will not use "
                    "this one; give it another version",
                    name,
                    version,
                )
        return opened

    async def close(self) -> None:
        if self.current is not None:
            await self.current.close()

    def folders(self) -> set[Path]:
        """The folders that hold the toolboxes' own code."""
        roots = self.current.roots if self.current else set[Path]()
        return roots | {path.parent for _, path in own_modules(roots)}

    async def _open(self, toolboxes: list[PythonToolbox]) -> OpenTools:
        opened = OpenTools(toolboxes, self._clock, self._threads)
        await opened.open(self._supervisor)
        self.current = opened
        for spec in (tool.spec for tool in opened.tools):
            if spec.effect is Effect.NON_IDEMPOTENT and spec.tier is Tier.AUTO:
                _log.warning("tool %s %s is NON_IDEMPOTENT and AUTO: it runs without a decision", *spec.key)
        return opened


def _runnable(tool: DeclaredTool[..., Any], lifespan: Lifespan, clock: Clock, threads: Threads) -> Tool:
    spec = _spec(tool)
    runnable = _of_kind(tool, spec, lifespan, clock, threads)
    if tool.probe is not None:
        runnable.probe = PythonProbe(tool, tool.probe, spec, lifespan, clock, threads)
    return runnable


def _of_kind(
    tool: DeclaredTool[..., Any], spec: ToolSpec, lifespan: Lifespan, clock: Clock, threads: Threads
) -> CoroutineTool | GeneratorTool | ThreadTool:
    match tool.kind:
        case Kind.COROUTINE:
            return CoroutineTool(tool, spec, lifespan, clock)
        case Kind.GENERATOR:
            return GeneratorTool(tool, spec, lifespan, clock)
        case Kind.PLAIN:
            return ThreadTool(tool, spec, lifespan, clock, threads.tools)


def _spec(tool: DeclaredTool[..., Any]) -> ToolSpec:
    declared = tool.spec
    return ToolSpec(
        name=declared.name,
        version=declared.version,
        description=declared.description,
        arguments_schema=declared.arguments_schema,
        result_schema=declared.result_schema,
        effect=Effect(declared.effect),
        tier=Tier(declared.tier),
        timeout=declared.timeout,
        stall_timeout=declared.stall_timeout,
        ttl=declared.ttl,
        concurrency=declared.concurrency,
        result_limit=declared.result_limit,
        cost=Cost(declared.cost.amount, declared.cost.unit) if declared.cost else None,
        retry=RetryPolicy(declared.retry.max_attempts, declared.retry.initial_delay, declared.retry.max_delay)
        if declared.retry
        else None,
        probes=tool.probe is not None,
    )


def _check_size(tools: Sequence[Tool]) -> None:
    size = sum(
        len(text.encode())
        for tool in tools
        for text in (tool.spec.description, tool.spec.arguments_schema, tool.spec.result_schema or "", tool.spec.name)
    )
    if size > _DESCRIPTORS_LIMIT:
        raise ToolboxError(f"the descriptions of {len(tools)} tools take {size} bytes, more than {_DESCRIPTORS_LIMIT}")
