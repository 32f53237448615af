"""Tools for the command line's tests: one for each thing that a batch can come to."""

import asyncio
from pathlib import Path

from greenlight_tool import NONE, Permanent, Retry, ToolContext, Transient, tool

_FAST = Retry(max_attempts=3, initial_delay=0.02, max_delay=0.05)


@tool(effect="READ")
async def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@tool(effect="READ")
async def steps(number: int, seconds: float, context: ToolContext) -> int:
    """Takes its time, and says how far it is."""
    for step in range(number):
        context.progress((step + 1) / number, f"step {step + 1} of {number}")
        await asyncio.sleep(seconds / number)
    return number


@tool(effect="READ", retry=_FAST)
async def flaky(context: ToolContext) -> str:
    """Fails at its first attempt."""
    if context.attempt == 1:
        raise Transient("not yet")
    return f"attempt {context.attempt}"


@tool(effect="READ")
async def broken(unless: str = "") -> str:
    """Fails for good, unless the file is there."""
    if unless and await asyncio.to_thread(Path(unless).exists):
        return "mended"
    raise Permanent("it will not work", effect=NONE)


@tool(effect="NON_IDEMPOTENT", tier="AUTO")
async def doubtful(context: ToolContext) -> str:
    """Nobody knows what became of its first attempt."""
    if context.attempt == 1:
        raise Permanent("the line broke")
    return f"attempt {context.attempt}"


@tool(effect="READ")
async def hostile() -> str:
    """Returns what would take over a terminal."""
    return "\x1b]0;owned\x07\x1b[2J\x1b[31mred \x9b1m [bold]loud[/bold] \u202egnp.exe"


@tool(effect="READ")
async def hostile_error() -> str:
    """Fails with what would take over a terminal."""
    raise Permanent("\x1b[2J\x1b[31mred [blink]x[/blink]\r\nfake line", effect=NONE)


@tool(effect="READ")
async def large(kib: int) -> str:
    """Returns a text of that many KiB."""
    return "x" * (kib * 1024)


@tool(effect="IDEMPOTENT")
async def note(text: str) -> str:
    """Is SOFT: the user's next turn confirms it."""
    return text


@tool(effect="NON_IDEMPOTENT")
async def publish(text: str) -> str:
    """Is HARD: needs a decision."""
    return text
