"""Tools whose runs outlive the orchestrator: each writes a line to a ledger when it starts, and waits for a gate file.

The folder comes as an argument: the executor is a process of its own.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from greenlight_tool import NONE, NOT_FOUND, Permanent, RateLimited, ToolContext, tool


async def _run(folder: str, context: ToolContext) -> str:
    name = _begin(folder, context)
    await _until(Path(folder, f"{name}.gate"))
    return name


def _begin(folder: str, context: ToolContext) -> str:
    name = context.proposal_id.partition("/")[2]
    with Path(folder, "ledger").open("a") as ledger:
        ledger.write(f"{name} {context.attempt} {context.idempotency_key}\n")
    return name


@tool(effect="READ")
async def read(folder: str, context: ToolContext) -> str:
    return await _run(folder, context)


@tool(effect="READ")
async def busy(folder: str, pause: float, context: ToolContext) -> str:
    """Wants its second attempt no earlier than `pause` seconds after the first."""
    name = _begin(folder, context)
    if context.attempt == 1:
        raise RateLimited("later", retry_after=pause)
    return name


@tool(effect="IDEMPOTENT", tier="AUTO")
async def write(folder: str, context: ToolContext) -> str:
    return await _run(folder, context)


@tool(effect="NON_IDEMPOTENT", tier="AUTO")
async def send(folder: str, context: ToolContext) -> str:
    return await _run(folder, context)


@tool(effect="NON_IDEMPOTENT", tier="AUTO")
async def pay(folder: str, context: ToolContext) -> str:
    """Has its effect, on disk, once `NAME.go` is there, and ends once `NAME.gate` is."""
    return await _pay(folder, context)


async def _look(arguments: dict[str, Any], idempotency_key: str, context: ToolContext) -> Any:
    """By the ledger. Says that it looked, and when."""
    folder, name = Path(arguments["folder"]), context.proposal_id.partition("/")[2]
    (folder / f"{name}.looked").touch()
    for line in (folder / "ledger").read_text().splitlines():
        if line.endswith(idempotency_key):
            return name
    return NOT_FOUND


@tool(effect="NON_IDEMPOTENT", tier="AUTO", probe=_look)
async def transfer(folder: str, context: ToolContext) -> str:
    """As `pay`; its effect can be looked up."""
    return await _pay(folder, context)


@tool(effect="NON_IDEMPOTENT", tier="AUTO")
async def careful(folder: str, context: ToolContext) -> str:
    """As `pay`; stopped before its effect, it knows that there is none."""
    try:
        return await _pay(folder, context)
    except asyncio.CancelledError:
        raise Permanent("stopped in time", effect=NONE) from None


async def _pay(folder: str, context: ToolContext) -> str:
    name = context.proposal_id.partition("/")[2]
    await _until(Path(folder, f"{name}.go"))
    file = os.open(Path(folder, "ledger"), os.O_WRONLY | os.O_APPEND)
    os.write(file, f"{name} {context.attempt} {context.idempotency_key}\n".encode())
    os.fsync(file)
    os.close(file)
    await _until(Path(folder, f"{name}.gate"))
    return name


async def _until(gate: Path) -> None:
    while not gate.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.005)
