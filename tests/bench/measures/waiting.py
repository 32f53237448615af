"""100,000 batches that wait for people: what the orchestrator keeps of them in memory, and writes while nobody comes.

Writes are the commits that another connection sees in SQLite's file; on PostgreSQL the transactions that get a number,
while the server makes none for itself (autovacuum). Needs a PostgreSQL on the machine (apt-get install postgresql).
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.bench.clients import ours
from tests.bench.figures import Figure
from tests.bench.measures.memory import resident_mb
from tests.bench.plan import Plan
from tests.bench.services import services
from tests.support.postgresql import PostgresServer, postgres_server

# What comes first fills pools and caches: it is not counted.
WARM, BATCHES = 2_000, 100_000
AT_ONCE = 64
IDLE = 10.0

Writes = Callable[[], Awaitable[int]]


async def waiting(plan: Plan) -> list[Figure]:
    folder = plan.folder / "waiting"
    database = folder / "sqlite" / "data" / "greenlight.db"
    figures = await _measure(folder, "sqlite", "", lambda: asyncio.to_thread(_in_file, database))
    with postgres_server() as server:
        async with server.database() as url:
            figures += await _measure(folder, "postgresql", url, lambda: _on_server(server))
    return figures


async def _measure(folder: Path, store: str, url: str, writes: Writes) -> list[Figure]:
    with services(folder, env={"GREENLIGHT_STORE": url}, name=store) as pair:
        async with ours(pair) as client:
            await _submit(client.stub, WARM)
            before = await resident_mb(pair.orchestrator.pid)
            await _submit(client.stub, BATCHES)
            after = await resident_mb(pair.orchestrator.pid)
            seen = await writes() / IDLE
    note = f"{before:.0f} MB, then {after:.0f} MB resident"
    label, key = f"{BATCHES:,} batches that wait for people on {store}:", f"waiting_{store}"
    return [
        Figure(f"{key}_memory_mb", f"{label} memory", after - before, "MB", 50, 5, note=note),
        Figure(f"{key}_writes_per_s", f"{label} writes while idle", seen, "/s", 2, 1, note=f"over {IDLE:g} s"),
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


def _in_file(database: Path) -> int:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        seen: set[int] = set()
        until = time.monotonic() + IDLE
        while time.monotonic() < until:
            seen.update(connection.execute("PRAGMA data_version").fetchone())
            time.sleep(0.005)
    return len(seen) - 1


async def _on_server(server: PostgresServer) -> int:
    async def given() -> int:
        """Numbers of transactions, so far."""
        sql = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next"
        return (await server.query("postgres", sql))[0]["next"]

    await server.query("postgres", "ALTER SYSTEM SET autovacuum = off")
    await server.query("postgres", "SELECT pg_reload_conf()")
    busy = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
    await asyncio.sleep(1)
    while await server.query("postgres", busy):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.1)
    before = await given()
    await asyncio.sleep(IDLE)
    return await given() - before
