"""Tools whose runs outlive the orchestrator: each writes a line to a ledger when it starts, and waits for a gate file.

The folder comes as an argument: the executor is a process of its own.
"""

import asyncio
from pathlib import Path

from greenlight_tool import ToolContext, tool


async def _run(folder: str, context: ToolContext) -> str:
    name = context.proposal_id.partition("/")[2]
    with Path(folder, "ledger").open("a") as ledger:  # noqa: ASYNC230 - one line
        ledger.write(f"{name} {context.attempt} {context.idempotency_key}\n")
    while not Path(folder, f"{name}.gate").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.005)
    return name


@tool(effect="READ")
async def read(folder: str, context: ToolContext) -> str:
    return await _run(folder, context)


@tool(effect="IDEMPOTENT", tier="AUTO")
async def write(folder: str, context: ToolContext) -> str:
    return await _run(folder, context)


@tool(effect="NON_IDEMPOTENT", tier="AUTO")
async def send(folder: str, context: ToolContext) -> str:
    return await _run(folder, context)
