"""The tools that are measured: they do as little as a tool can."""

import asyncio
from pathlib import Path

from greenlight_tool import ToolContext, tool


@tool(effect="READ")
async def noop(text: str) -> str:
    """Returns its argument."""
    return text


@tool(effect="READ")
async def sleep_ms(ms: int) -> int:
    """Takes that many milliseconds."""
    await asyncio.sleep(ms / 1000)
    return ms


@tool(effect="NON_IDEMPOTENT")
async def hard_noop(text: str) -> str:
    """Returns its argument, once somebody approved it."""
    return text


@tool(effect="NON_IDEMPOTENT", tier="AUTO")
async def append(text: str) -> str:
    """Returns its argument, and is written down before and after."""
    return text


@tool(effect="READ")
async def tell(path: str, context: ToolContext) -> None:
    """Writes its batch's id into a file."""
    with Path(path).open("a") as file:  # noqa: ASYNC230 - one line
        file.write(f"{context.batch_id}\n")
