"""The same work for every peer, and what it prints: one JSON line with rates, a latency and versions.

Run by the peers' own interpreter, so nothing of this project is imported.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from importlib import metadata

TEXT = "x" * 189
# As often as fits, but at least three times.
BUDGET = 15.0
REPEATS, TURNS = 7, 100


async def report(
    noops: Callable[[int], Awaitable[None]], sleepers: Callable[[int], Awaitable[None]], packages: list[str], note: str
) -> None:
    """`noops` runs one batch of so many no-op calls, `sleepers` one of so many calls of 50 ms."""

    async def seconds(run: Callable[[int], Awaitable[None]], *counts: int) -> float:
        start = time.perf_counter()
        await asyncio.gather(*(run(count) for count in counts))
        return time.perf_counter() - start

    async def median(times: int, run: Callable[[int], Awaitable[None]], *counts: int) -> float:
        until = time.perf_counter() + BUDGET
        taken: list[float] = []
        while len(taken) < 3 or (len(taken) < times and time.perf_counter() < until):
            taken.append(await seconds(run, *counts))
        return statistics.median(taken)

    await noops(1000)
    await noops(5)
    one = 1000 / await median(REPEATS, noops, 1000)
    many = 1000 / await median(REPEATS, noops, *([10] * 100))
    await sleepers(5)
    turn = await median(TURNS, sleepers, 5)
    line = {
        "batch_1000_per_s": one,
        "batches_100x10_per_s": many,
        "five_50ms_p50_ms": turn * 1e3,
        "versions": {name: metadata.version(name) for name in packages},
        "note": note,
    }
    print(json.dumps(line), flush=True)
