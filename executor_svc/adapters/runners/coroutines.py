"""Tools that are async functions or async generators: they run on the event loop, in their call's own task."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

from executor_svc.adapters.runners.translation import Lifespan, encode_result, make_context, parse, reraise
from executor_svc.domain.tool import ToolSpec
from executor_svc.ports.tool import RunningCall
from greenlight_tool import Tool
from shared.kernel.clock import Clock


class CoroutineTool:
    """An `async def`; what it returns is the result."""

    def __init__(self, tool: Tool[..., Any], spec: ToolSpec, lifespan: Lifespan, clock: Clock) -> None:
        self.spec = spec
        self._tool = tool
        self._function = tool.function
        self._encode = tool.encode
        self._context_name = tool.signature.context_name
        self._lifespan = lifespan
        self._clock = clock

    def check(self, arguments: str) -> None:
        parse(self._tool, arguments)

    async def run(self, running: RunningCall) -> bytes:
        passed = parse(self._tool, running.call.arguments)
        if self._context_name is not None:
            passed[self._context_name] = make_context(running, self._lifespan, self._clock)
        running.started()
        try:
            value = await self._function(**passed)
        except BaseException as error:
            reraise(error, running)
        return encode_result(self._encode, value)


class GeneratorTool(CoroutineTool):
    """An `async def` with `yield`: each value is a chunk, all of them as an array are the result."""

    async def run(self, running: RunningCall) -> bytes:
        passed = parse(self._tool, running.call.arguments)
        if self._context_name is not None:
            passed[self._context_name] = make_context(running, self._lifespan, self._clock)
        running.started()
        parts: list[bytes] = []
        try:
            async with contextlib.aclosing(self._function(**passed)) as values:
                async for value in cast(AsyncIterator[Any], values):
                    parts.append(self._encode(value))
                    running.chunk(parts[-1])
        except BaseException as error:
            reraise(error, running)
        return b"[" + b",".join(parts) + b"]"
