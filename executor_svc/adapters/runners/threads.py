"""Tools that are plain functions: they run on a thread, and their results are written there."""

import dataclasses
from typing import Any

from executor_svc.adapters.runners.thread_pool import ThreadPool
from executor_svc.adapters.runners.translation import Lifespan, encode_result, make_context, parse, reraise
from executor_svc.domain.tool import ToolSpec
from executor_svc.ports.tool import RunningCall
from greenlight_tool import Tool
from shared.kernel.clock import Clock


class ThreadTool:
    """A `def`. No more of its calls run at once than there are threads, so its limit is never above that."""

    def __init__(
        self, tool: Tool[..., Any], spec: ToolSpec, lifespan: Lifespan, clock: Clock, threads: ThreadPool
    ) -> None:
        self.spec = dataclasses.replace(spec, concurrency=min(spec.concurrency or threads.size, threads.size))
        self._tool = tool
        self._lifespan = lifespan
        self._clock = clock
        self._threads = threads

    def check(self, arguments: str) -> None:
        parse(self._tool, arguments)

    async def run(self, running: RunningCall) -> bytes:
        passed = parse(self._tool, running.call.arguments)
        if (name := self._tool.signature.context_name) is not None:
            passed[name] = make_context(running, self._lifespan, self._clock)

        def work() -> bytes:
            running.started()
            value = self._tool.function(**passed)
            return encode_result(self._tool.encode, value)

        try:
            return await self._threads.run(work)
        except BaseException as error:
            reraise(error, running)
