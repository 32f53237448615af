"""Tools for clients in other languages: an echo, a wait, a large result, and one that needs a decision."""

import asyncio

from greenlight_tool import tool


@tool(effect="READ")
async def echo(text: str) -> str:
    """Returns its argument."""
    return text


@tool(effect="READ")
async def wait(seconds: float) -> float:
    """Takes that long."""
    await asyncio.sleep(seconds)
    return seconds


@tool(effect="READ")
async def large(kib: int) -> str:
    """Returns a text of that many KiB."""
    return "x" * (kib * 1024)


@tool(effect="NON_IDEMPOTENT")
async def publish(text: str) -> str:
    """Returns its argument, once somebody approved it."""
    return text
