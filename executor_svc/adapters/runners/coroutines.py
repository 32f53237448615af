"""Tools that are async functions or async generators: they run on the event loop, in their call's own task."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

from executor_svc.adapters.runners.python_tool import PythonTool
from executor_svc.adapters.runners.translation import reraise, unusable
from executor_svc.ports.tool import RunningCall
from greenlight_tool.results import ResultError


class CoroutineTool(PythonTool):
    """An `async def`; what it returns is the result."""

    async def run(self, running: RunningCall) -> bytes:
        passed = self.bind(running)
        running.started()
        try:
            value = await self.function(**passed)
        except BaseException as error:
            reraise(error, running)
        try:
            return self.encode(value)
        except ResultError as error:
            raise unusable(error) from error


class GeneratorTool(PythonTool):
    """An `async def` with `yield`: each value is a chunk, all of them as an array are the result."""

    async def run(self, running: RunningCall) -> bytes:
        passed = self.bind(running)
        running.started()
        parts: list[bytes] = []
        try:
            async with contextlib.aclosing(self.function(**passed)) as values:
                async for value in cast(AsyncIterator[Any], values):
                    parts.append(self.encode(value))
                    running.chunk(parts[-1])
        except BaseException as error:
            reraise(error, running)
        return b"[" + b",".join(parts) + b"]"
