"""Tools that are plain functions: they run on a thread, and their results are written there."""

from typing import Any

from executor_svc.adapters.runners.python_tool import PythonTool
from executor_svc.adapters.runners.thread_pool import ThreadPool
from executor_svc.adapters.runners.translation import Lifespan, reraise, unusable
from executor_svc.domain.tool import ToolSpec
from executor_svc.ports.tool import RunningCall
from greenlight_tool import Tool
from greenlight_tool.results import ResultError
from shared.kernel.clock import Clock


class ThreadTool(PythonTool):
    """A `def`. No more of its calls run at once than there are threads: that limits what is granted, while the spec
    stays as declared, the same on every executor."""

    def __init__(
        self, tool: Tool[..., Any], spec: ToolSpec, lifespan: Lifespan, clock: Clock, threads: ThreadPool
    ) -> None:
        super().__init__(tool, spec, lifespan, clock)
        self.limit = min(spec.concurrency or threads.size, threads.size)
        self._threads = threads

    async def run(self, running: RunningCall) -> bytes:
        passed = self.bind(running)

        def work() -> bytes:
            running.started()
            value = self.function(**passed)
            try:
                return self.encode(value)
            except ResultError as error:
                raise unusable(error) from error

        try:
            return await self._threads.run(work)
        except BaseException as error:
            reraise(error, running)
