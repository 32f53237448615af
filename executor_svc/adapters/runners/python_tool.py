"""What all tools written with the tool kit have in common: their spec, their arguments, their context."""

from typing import Any

from executor_svc.adapters.runners.probes import PythonProbe
from executor_svc.adapters.runners.translation import Lifespan, invalid, make_context
from executor_svc.domain.tool import ToolSpec
from executor_svc.ports.tool import RunningCall
from greenlight_tool import Tool
from greenlight_tool.signature import ArgumentsError
from shared.kernel.clock import Clock


class PythonTool:
    """Prepared once; the kinds of tools add `run`."""

    def __init__(self, tool: Tool[..., Any], spec: ToolSpec, lifespan: Lifespan, clock: Clock) -> None:
        self.spec = spec
        self.probe: PythonProbe | None = None
        self.limit = spec.concurrency
        self.function = tool.function
        self.encode = tool.encode
        self._parse = tool.signature.parse
        self._context_name = tool.signature.context_name
        self._lifespan = lifespan
        self._clock = clock

    def check(self, arguments: str) -> None:
        try:
            self._parse(arguments)
        except ArgumentsError as error:
            raise invalid(error) from None

    def bind(self, running: RunningCall) -> dict[str, Any]:
        """What to call the function with. Raises InvalidError where arguments or session values do not fit."""
        try:
            passed = self._parse(running.call.arguments)
        except ArgumentsError as error:
            raise invalid(error) from None
        if self._context_name is not None:
            passed[self._context_name] = make_context(running, self._lifespan, self._clock)
        return passed
