"""Tools for tests of the executors port: they echo, fail, talk, and wait at gates that the test opens."""

import asyncio
from typing import Any

from greenlight_tool import NONE, NOT_FOUND, Permanent, ToolContext, tool

_gates: dict[str, asyncio.Event] = {}
runs: list[str] = []


def open_gate(name: str) -> None:
    """Lets the calls that wait there, and later ones, go on."""
    _gate(name).set()


def reset() -> None:
    """To be called by each test, on its own loop."""
    _gates.clear()
    runs.clear()


def _gate(name: str) -> asyncio.Event:
    return _gates.setdefault(name, asyncio.Event())


@tool(effect="READ")
async def echo(value: Any = None, *, context: ToolContext) -> dict[str, Any]:
    """Gives back what it gets."""
    runs.append(f"{context.proposal_id}/{context.attempt}")
    return {"value": value}


@tool(effect="READ")
async def refuse() -> None:
    """Always fails."""
    raise Permanent("not today", effect=NONE, reason="NOT_TODAY")


async def _look(arguments: dict[str, Any], idempotency_key: str) -> Any:
    """At a gate called `found` there was an effect; at one called `dark` nobody can see."""
    if arguments["gate"] == "dark":
        raise Permanent("it is dark", effect=NONE)
    return idempotency_key if arguments["gate"] == "found" else NOT_FOUND


@tool(effect="NON_IDEMPOTENT", tier="AUTO", probe=_look)
async def wait(gate: str) -> str:
    """Waits until the gate is open."""
    await _gate(gate).wait()
    return gate


@tool(effect="READ", concurrency=2)
async def limited(gate: str) -> str:
    """Waits, two at a time."""
    await _gate(gate).wait()
    return gate


@tool(effect="READ")
async def talk(gate: str, context: ToolContext) -> str:
    """Speaks, then waits."""
    context.progress(0.5, "half")
    context.chunk({"part": 1})
    await _gate(gate).wait()
    return gate
