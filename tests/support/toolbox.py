"""Tools that do what tools do."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from greenlight_tool import (
    DONE,
    NONE,
    Permanent,
    ToolContext,
    ToolError,
    tool,
)
from tests.support.gates import GATES


@tool(effect="READ")
async def echo(value: Any) -> Any:
    """Returns what it gets.

    Args:
        value: anything
    """
    GATES.runs.append("echo")
    return value


@tool(effect="READ", version="2.1")
async def add(a: int, b: int = 1) -> int:
    return a + b


@tool(effect="READ", name="add", version="2.10")
async def add_newer(a: int, b: int = 1) -> int:
    return a + b


@tool(effect="READ")
def plain(value: Any) -> Any:
    return value


@tool(effect="READ")
async def count(n: int) -> AsyncIterator[int]:
    for number in range(n):
        yield number


@tool(effect="NON_IDEMPOTENT")
async def write(text: str) -> str:
    GATES.runs.append(text)
    return text


@tool(effect="NON_IDEMPOTENT")
def write_on_thread(text: str) -> str:
    GATES.runs.append(text)
    return text


@tool(effect="READ")
async def about(context: ToolContext) -> dict[str, Any]:
    return {
        "tenant": context.tenant,
        "principal": context.principal,
        "session_id": context.session_id,
        "session": dict(context.session),
        "agent": context.agent,
        "batch_id": context.batch_id,
        "proposal_id": context.proposal_id,
        "labels": dict(context.labels),
        "attempt": context.attempt,
        "idempotency_key": context.idempotency_key,
        "deadline": context.deadline.tzname(),
        "remaining": 0 < context.remaining() <= 30,
        "cancelled": context.cancelled,
    }


@tool(effect="READ", timeout=60)
async def wait(gate: str) -> str:
    """Runs until the gate is open."""
    GATES.open(f"{gate} started")
    await GATES.reached(gate)
    return gate


@tool(effect="READ", timeout=60)
def wait_on_thread(gate: str, obey: bool, context: ToolContext) -> str:
    """As `wait`, on a thread; obedient, it stops when it should."""
    GATES.open(f"{gate} started")
    while obey:
        context.raise_if_cancelled()
        time.sleep(0.001)
    GATES.wait(gate)
    return gate


@tool(effect="READ", concurrency=2)
async def few(gate: str) -> str:
    await GATES.reached(gate)
    return gate


@tool(effect="READ", stall_timeout=0.05)
async def silent(gate: str, signs: int, context: ToolContext) -> str:
    for _ in range(signs):
        context.progress()
        await asyncio.sleep(0.02)
    await GATES.reached(gate)
    return gate


@tool(effect="NON_IDEMPOTENT")
async def knows(effect: str) -> None:
    """When stopped, it says what it knows."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        GATES.open("stopped")
        raise Permanent("stopped in time", effect=NONE if effect == "NONE" else DONE) from None


@tool(effect="READ")
async def late(gate: str) -> str:
    """Comes to its result while it is being stopped."""
    try:
        await GATES.reached(gate)
    except asyncio.CancelledError:
        return "late"
    return "in time"


@tool(effect="READ")
async def give_number(what: str) -> Any:
    return {"big": 2**70, "float": 0.1 + 0.2, "exact": 2**53 + 1, "small": 5e-324}[what]


@tool(effect="READ", timeout=0.3)
async def brief(gate: str) -> str:
    await GATES.reached(gate)
    return gate


@tool(effect="READ")
async def talk(seconds: float, context: ToolContext) -> None:
    """Reports progress all the time, and lets others run."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        context.progress(1 - left / seconds, "talking")
        await asyncio.sleep(0.001)


@tool(effect="READ", result_limit=1000)
async def chunks(what: str, context: ToolContext) -> str:
    match what:
        case "too much":
            for _ in range(100):
                context.chunk("x" * 100)
        case "too much, hidden":
            try:
                for _ in range(100):
                    context.chunk("x" * 100)
            except ToolError:
                raise
            except Exception:
                return "as if nothing had been"
        case "not json":
            context.chunk(object())
        case _:
            context.chunk({"part": 1})
            context.chunk(2)
    return what
