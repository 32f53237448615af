"""What the orchestrator's memory grows by between ten and two hundred batches of 1,000."""

import asyncio
from pathlib import Path

from tests.bench.clients import ours
from tests.bench.figures import Figure
from tests.bench.plan import Plan
from tests.bench.services import services

FIRST, LAST = 10, 200
# Batches leave the memory and the allocator comes to rest.
REST = 2.0


async def memory(plan: Plan) -> list[Figure]:
    with services(plan.folder / "memory") as pair:
        async with ours(pair) as client:
            for _ in range(FIRST):
                await client.run(1000)
            before = await resident_mb(pair.orchestrator.pid)
            for _ in range(LAST - FIRST):
                await client.run(1000)
            after = await resident_mb(pair.orchestrator.pid)
    label = f"memory of the orchestrator after {LAST} batches of 1,000, over that after ten"
    note = f"{before:.0f} MB, then {after:.0f} MB resident"
    return [Figure("memory_growth_mb", label, after - before, "MB", 20, 5, note=note)]


async def resident_mb(pid: int) -> float:
    """Once it is at rest."""
    await asyncio.sleep(REST)
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kilobytes) * 1024 / 1e6
