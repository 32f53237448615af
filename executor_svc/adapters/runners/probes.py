"""Tools' probes as tools: run as READ calls are, they give the result that they found, or nothing (empty)."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, cast

from executor_svc.adapters.runners.thread_pool import Threads
from executor_svc.adapters.runners.translation import Lifespan, invalid, make_context, reraise, unusable
from executor_svc.domain.tool import Effect, ToolSpec
from executor_svc.ports.tool import RunningCall
from greenlight_tool import Tool
from greenlight_tool.probing import Probe
from greenlight_tool.results import ResultError
from greenlight_tool.signature import ArgumentsError
from shared.kernel.clock import Clock


class PythonProbe:
    """Implements `Tool`. Takes the time that the probe was given, and none of the tool's own slots.

    Plain ones of a tool wait for each other where they would take more threads than are for it.
    """

    limit = None
    probe = None

    def __init__(
        self,
        tool: Tool[..., Any],
        probe: Probe,
        spec: ToolSpec,
        lifespan: Lifespan,
        clock: Clock,
        threads: Threads,
    ) -> None:
        self.spec = replace(
            spec, effect=Effect.READ, timeout=tool.spec.probe_timeout, stall_timeout=None, concurrency=None
        )
        self._parse, self._encode = tool.signature.parse, tool.encode_found
        self._probe = probe
        self._lifespan, self._clock, self._threads = lifespan, clock, threads.looks
        self._share = asyncio.Semaphore(threads.looks_of_a_tool)

    def check(self, arguments: str) -> None:
        self._parsed(arguments)

    async def run(self, running: RunningCall) -> bytes:
        function, key = self._probe.function, running.call.idempotency_key
        arguments = self._parsed(running.call.arguments)
        by_name = self._probe.passed(make_context(running, self._lifespan, self._clock))

        def work() -> bytes:
            running.started()
            return self._written(function(arguments, key, **by_name))

        try:
            if not self._probe.is_coroutine:
                async with self._share:
                    return await self._threads.run(work)
            running.started()
            return self._written(await cast(Awaitable[Any], function(arguments, key, **by_name)))
        except BaseException as error:
            reraise(error, running)

    def _parsed(self, arguments: str) -> dict[str, Any]:
        try:
            return self._parse(arguments)
        except ArgumentsError as error:
            raise invalid(error) from None

    def _written(self, found: Any) -> bytes:
        try:
            return self._encode(found) or b""
        except ResultError as error:
            raise unusable(error) from error
