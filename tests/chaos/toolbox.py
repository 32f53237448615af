"""Tools that write down what they do in a ledger outside, on disk before they go on: a line when they begin, one for
the effect, one when they end; and one where the disk took so long that they held the event loop meanwhile. One of them
looks there for its effect."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from greenlight_tool import NONE, NOT_FOUND, NotFound, ToolContext, Transient, tool

LEDGER = "GREENLIGHT_CHAOS_LEDGER"
HELD = 0.4
"""Seconds; less than the executor allows a step of a call."""


def _write(what: str, context: ToolContext) -> None:
    began = time.monotonic()
    ledger = os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND)
    try:
        os.write(ledger, _line(what, context))
        os.fsync(ledger)
        if time.monotonic() - began > HELD:
            os.write(ledger, _line("held", context))
    finally:
        os.close(ledger)


def _line(what: str, context: ToolContext) -> bytes:
    return f"{what} {context.proposal_id} {context.attempt} {context.idempotency_key} {time.time_ns()}\n".encode()


async def _run(ms: int, fails: bool, context: ToolContext) -> dict[str, Any]:
    _write("began", context)
    if fails and context.attempt == 1:
        raise Transient("not this time", effect=NONE)
    await asyncio.sleep(ms / 2000)
    _write("effect", context)
    await asyncio.sleep(ms / 2000)
    _write("ended", context)
    return {"n": ms, "of": context.proposal_id}


def find(arguments: dict[str, Any], idempotency_key: str, context: ToolContext) -> dict[str, Any] | NotFound:
    """What the call gave, or would have given, if its effect is there. A line that is being written does not count."""
    lines = Path(os.environ[LEDGER]).read_text().rpartition("\n")[0].splitlines()
    there = any(line.startswith("effect ") and line.split()[3] == idempotency_key for line in lines)
    return {"n": arguments["ms"], "of": context.proposal_id} if there else NOT_FOUND


@tool(effect="READ")
async def read(ms: int, context: ToolContext, fails: bool = False, x: Any = None) -> dict[str, Any]:
    return await _run(ms, fails, context)


@tool(effect="IDEMPOTENT", tier="AUTO")
async def write(ms: int, context: ToolContext, fails: bool = False, x: Any = None) -> dict[str, Any]:
    return await _run(ms, fails, context)


@tool(effect="IDEMPOTENT", tier="SOFT")
async def note(ms: int, context: ToolContext, fails: bool = False, x: Any = None) -> dict[str, Any]:
    return await _run(ms, fails, context)


@tool(effect="NON_IDEMPOTENT", tier="AUTO")
async def send(ms: int, context: ToolContext, fails: bool = False, x: Any = None) -> dict[str, Any]:
    return await _run(ms, fails, context)


@tool(effect="NON_IDEMPOTENT", tier="AUTO", probe=find)
async def transfer(ms: int, context: ToolContext, fails: bool = False, x: Any = None) -> dict[str, Any]:
    return await _run(ms, fails, context)


@tool(effect="NON_IDEMPOTENT", tier="HARD")
async def pay(ms: int, context: ToolContext, fails: bool = False, x: Any = None) -> dict[str, Any]:
    return await _run(ms, fails, context)
