"""Tools with probes, for tests of the executor: what they did is in `LEDGER`, by idempotency key."""

import asyncio
from typing import Any

from greenlight_tool import NOT_FOUND, ToolContext, Unavailable, tool
from tests.support.gates import GATES

LEDGER: dict[str, Any] = {}


async def find(arguments: dict[str, Any], idempotency_key: str) -> Any:
    """What the ledger has."""
    if arguments["amount"] < 0:
        raise Unavailable("the ledger cannot be read")
    return LEDGER.get(idempotency_key, NOT_FOUND)


@tool(effect="NON_IDEMPOTENT", concurrency=1, probe=find)
def pay(amount: int, context: ToolContext) -> int:
    """Waits on its thread, cannot be stopped, and has its effect at the end."""
    GATES.wait("gate")
    LEDGER[context.idempotency_key] = amount
    return amount


async def find_slowly(arguments: dict[str, Any], idempotency_key: str) -> str:
    """Never ends."""
    await asyncio.Event().wait()
    return ""


@tool(effect="NON_IDEMPOTENT", probe=find_slowly, probe_timeout=0.05)
async def send(to: str) -> str:
    """Sends at once."""
    return to


def who(arguments: dict[str, Any], idempotency_key: str, context: ToolContext) -> Any:
    """From where it is asked, on a thread."""
    return [context.tenant, context.proposal_id, context.attempt, idempotency_key, arguments["name"]]


@tool(effect="NON_IDEMPOTENT", probe=who)
async def greet(name: str) -> list[Any]:
    """Greets."""
    return [name]


def find_on_thread(arguments: dict[str, Any], idempotency_key: str) -> Any:
    """Hangs on its thread until the gate is open."""
    GATES.wait(arguments["gate"])
    return idempotency_key


@tool(effect="NON_IDEMPOTENT", probe=find_on_thread, probe_timeout=0.05)
async def post(gate: str) -> str:
    """Posts."""
    return gate


async def find_by_thread(arguments: dict[str, Any], idempotency_key: str) -> Any:
    """Has a thread of the loop hang until the gate is open."""
    return await asyncio.to_thread(find_on_thread, arguments, idempotency_key)


@tool(effect="NON_IDEMPOTENT", probe=find_by_thread, probe_timeout=0.05)
async def wire(gate: str) -> str:
    """Wires, by a thread."""
    return await asyncio.to_thread(str, gate)


@tool(effect="NON_IDEMPOTENT", probe=find_by_thread)
async def cable(gate: str) -> str:
    """Cables."""
    return gate


@tool(effect="READ")
def read() -> int:
    """Reads, on a thread."""
    return 1


@tool(effect="NON_IDEMPOTENT", probe=lambda arguments, idempotency_key: "no number")
async def count() -> int:
    """Counts."""
    return 1


@tool(effect="NON_IDEMPOTENT")
async def silent() -> int:
    """Has no probe."""
    return 1
