"""Async tools that give work to the loop's threads. What that did is in `LEDGER`, by idempotency key."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from greenlight_tool import NONE, NOT_FOUND, ToolContext, Transient, tool
from tests.support.gates import GATES
from tests.support.threads import none_can_be_started

LEDGER: dict[str, list[int]] = {}


async def find(arguments: dict[str, Any], idempotency_key: str) -> Any:
    """The truth about the moment."""
    return arguments["amount"] if LEDGER.get(idempotency_key) else NOT_FOUND


def _work(amount: int, gate: str, key: str) -> int:
    GATES.runs.append(key)
    GATES.open(f"{gate} started")
    GATES.wait(gate)
    LEDGER.setdefault(key, []).append(amount)
    return amount


async def _lend(how: str, work: Callable[[], int]) -> int:
    loop = asyncio.get_running_loop()
    match how:
        case "to_thread":
            return await asyncio.to_thread(work)
        case "run_in_executor":
            return await loop.run_in_executor(None, work)
        case "gives up":
            async with asyncio.timeout(0.02):
                return await asyncio.to_thread(work)
        case "knows":
            try:
                async with asyncio.timeout(0.02):
                    return await asyncio.to_thread(work)
            except TimeoutError:
                raise Transient("nothing comes of it", effect=NONE) from None
        case "leaves it":
            loop.run_in_executor(None, work)
            raise ValueError("broken")
        case "leaves it, and returns":
            loop.run_in_executor(None, work)
            return 0
        case "does not stop":
            left = loop.run_in_executor(None, work)
            try:
                await asyncio.shield(left)
            except asyncio.CancelledError:
                await GATES.reached("later")
            return 0
        case "no thread":
            with none_can_be_started():
                return await loop.run_in_executor(None, work)
        case _:
            raise AssertionError(how)


@tool(effect="NON_IDEMPOTENT", tier="AUTO", timeout=60, probe=find)
async def pay(amount: int, context: ToolContext, how: str = "to_thread", gate: str = "gate") -> int:
    """Has its effect on a thread, once the gate is open."""
    return await _lend(how, partial(_work, amount, gate, context.idempotency_key))


@tool(effect="READ", timeout=60)
async def ask(context: ToolContext, gate: str = "gate") -> int:
    """As long as the gate is closed, on a thread."""
    return await asyncio.to_thread(_work, 1, gate, context.idempotency_key)
