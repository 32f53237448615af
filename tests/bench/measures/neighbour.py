"""One no-op call while another client keeps the services busy with batches of 5,000.

The neighbour is a process of its own that sends the next RunBatch when the last event of the one before came. The
probe sends one call, waits for its last event, waits 10 ms, and goes on; on its own channel.
"""

import asyncio
import time

from tests.bench.clients import ours, warm_up
from tests.bench.figures import Figure, percentile
from tests.bench.plan import Plan
from tests.bench.processes import python, running
from tests.bench.services import services

CALLS = 5000
APART = 0.01


async def neighbour(plan: Plan) -> list[Figure]:
    folder = plan.folder / "neighbour"
    times: list[float] = []
    with services(folder) as pair:
        async with ours(pair) as client:
            await warm_up(client)
            load = python("-m", "tests.bench.load", pair.orchestrator_address, str(CALLS))
            with running("load", load, folder) as process:
                process.ready()
                for _ in range(plan.samples):
                    start = time.perf_counter()
                    times.append((await client.run(1) - start) * 1e3)
                    await asyncio.sleep(APART)
                process.check()
    note = f"{plan.samples} calls, p50 {percentile(times, 0.5):.1f} ms, max {max(times):.0f} ms"
    label = "one call while another client submits batches of 5,000, p99"
    return [Figure("neighbour_p99_ms", label, percentile(times, 0.99), "ms", 250, 120, note=note)]
