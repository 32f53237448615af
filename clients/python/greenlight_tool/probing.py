"""A tool's probe: the function by which it looks for the effect of a call whose outcome is unknown."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Concatenate, Final, get_type_hints

from greenlight_tool.context import ToolContext

ProbeFunction = Callable[Concatenate[dict[str, Any], str, ...], Any]
"""Takes the validated arguments and the idempotency key of the call."""


class NotFound(Enum):
    """What a probe returns that finds no effect; anything else is the result of the call."""

    NOT_FOUND = "NOT_FOUND"


NOT_FOUND: Final = NotFound.NOT_FOUND


@dataclass(frozen=True, slots=True)
class Probe:
    """`context_name` is the parameter that wants the ToolContext, if any."""

    function: ProbeFunction
    is_coroutine: bool
    context_name: str | None

    def passed(self, context: ToolContext) -> dict[str, ToolContext]:
        """What it gets by name, beside arguments and key."""
        return {self.context_name: context} if self.context_name else {}


def read(function: ProbeFunction, tool_name: str) -> Probe:
    """Raises TypeError where it cannot be called as a probe."""
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(f"tool {tool_name}: its probe returns what it found, and yields nothing")
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise TypeError(f"tool {tool_name}: a type hint of its probe cannot be read: {error}") from error
    parameters = inspect.signature(function)
    context_name = next((name for name in parameters.parameters if hints.get(name) is ToolContext), None)
    try:
        parameters.bind({}, "", **({context_name: None} if context_name else {}))
    except TypeError as error:
        raise TypeError(f"tool {tool_name}: its probe takes (arguments, idempotency_key): {error}") from None
    return Probe(function, inspect.iscoroutinefunction(function), context_name)
