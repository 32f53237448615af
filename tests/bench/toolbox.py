"""The tools that are measured: they do as little as a tool can."""

import asyncio

from greenlight_tool import tool


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
