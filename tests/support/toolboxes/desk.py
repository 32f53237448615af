"""Tools of every effect and tier, for tests of both services together. Those that wait do so at GATES."""

from typing import Any

from greenlight_tool import NONE, POSSIBLE, Permanent, ToolContext, Transient, tool
from tests.support.gates import GATES


@tool(effect="READ")
async def echo(value: Any = None) -> Any:
    """Gives back what it gets."""
    return value


@tool(effect="READ")
async def typed(count: int, unit: str = "pieces") -> str:
    """Wants one integer, and fills in a unit."""
    return f"{count} {unit}"


@tool(effect="READ", result_limit=2 << 20)
async def large(size: int, ballast: Any = None) -> str:
    """A result of that many characters, up to the most that any tool may give."""
    return "x" * size


@tool(effect="READ")
async def sized(size: int) -> str:
    """A result of that many characters."""
    return "x" * size


@tool(effect="READ")
async def wait(gate: str) -> str:
    """Waits until the gate is open."""
    GATES.open(f"{gate} started")
    await GATES.reached(gate)
    return gate


@tool(effect="READ")
async def flaky(name: str, context: ToolContext) -> int:
    """Fails at its first attempt, and works at the second."""
    if context.attempt == 1:
        raise Transient("not yet")
    return context.attempt


@tool(effect="READ")
async def failing(until: str = "") -> str:
    """Fails, until a gate of that name was opened."""
    GATES.runs.append("failing")
    if until not in GATES.runs:
        raise Permanent("broken", effect=NONE, reason="BROKEN")
    return "mended"


@tool(effect="IDEMPOTENT")
async def note(text: str = "") -> str:
    """SOFT by its effect."""
    GATES.runs.append(f"note {text}")
    return text


@tool(effect="IDEMPOTENT")
async def failing_note(text: str = "") -> str:
    raise Permanent("no paper", effect=NONE)


@tool(effect="NON_IDEMPOTENT")
async def publish(text: Any = "") -> Any:
    """HARD by its effect."""
    GATES.runs.append("publish")
    return text


@tool(effect="NON_IDEMPOTENT", tier="AUTO")
async def doubtful() -> str:
    """Nobody knows whether it had its effect."""
    GATES.runs.append("doubtful")
    raise Permanent("the line went dead", effect=POSSIBLE)


@tool(effect="NON_IDEMPOTENT", tier="AUTO")
async def send(gate: str) -> str:
    """Waits until the gate is open; every run counts."""
    GATES.runs.append("send")
    GATES.open(f"{gate} started")
    await GATES.reached(gate)
    return gate
