"""100,000 batches that wait for people: what the orchestrator keeps of them in memory, and writes while nobody comes.

Writes are the commits that another connection sees in the file.
"""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.bench.clients import ours
from tests.bench.figures import Figure
from tests.bench.measures.memory import resident_mb
from tests.bench.plan import Plan
from tests.bench.services import services

# What comes first fills pools and caches: it is not counted.
WARM, BATCHES = 2_000, 100_000
AT_ONCE = 64
IDLE = 10.0


async def waiting(plan: Plan) -> list[Figure]:
    folder = plan.folder / "waiting"
    with services(folder) as pair:
        async with ours(pair) as client:
            await _submit(client.stub, WARM)
            before = await resident_mb(pair.orchestrator.pid)
            await _submit(client.stub, BATCHES)
            after = await resident_mb(pair.orchestrator.pid)
            writes = await asyncio.to_thread(_writes, folder / "ours" / "data" / "greenlight.db") / IDLE
    note = f"{before:.0f} MB, then {after:.0f} MB resident"
    label = f"{BATCHES:,} batches that wait for people:"
    return [
        Figure("waiting_memory_mb", f"{label} memory", after - before, "MB", 50, 5, note=note),
        Figure("waiting_writes_per_s", f"{label} writes while idle", writes, "/s", 2, 1, note=f"over {IDLE:g} s"),
    ]


async def _submit(stub: Any, count: int) -> None:
    proposal = proposal_pb2.ProposalSpec(key="a", tool="hard_noop", arguments_json='{"text":"hello"}')
    request = pb.SubmitBatchRequest(batch=batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=[proposal])))
    left = count

    async def submit() -> None:
        nonlocal left
        while left:
            left -= 1
            await stub.SubmitBatch(request)

    await asyncio.gather(*(submit() for _ in range(AT_ONCE)))


def _writes(database: Path) -> int:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        seen: set[int] = set()
        until = time.monotonic() + IDLE
        while time.monotonic() < until:
            seen.update(connection.execute("PRAGMA data_version").fetchone())
            time.sleep(0.005)
    return len(seen) - 1
