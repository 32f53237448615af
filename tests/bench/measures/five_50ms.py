"""An agent's turn: five calls of 50 ms, from sending the batch to its last event.

Beside it, how long the same takes without the 50 ms, and how long the ceiling takes for that: how slow the machine is.
"""

import time

from greenlight.orchestrator.v1 import proposal_pb2
from tests.bench.clients import batch, ceiling, ours, seconds, warm_up
from tests.bench.figures import Figure, median, percentile
from tests.bench.plan import Plan
from tests.bench.services import services


async def five_50ms(plan: Plan) -> list[Figure]:
    times: list[float] = []
    folder = plan.folder / "five_50ms"
    with services(folder) as pair:
        async with ours(pair) as client:
            await warm_up(client)
            for _ in range(plan.samples):
                new = proposal_pb2.ProposalSpec
                request = batch([new(key=str(i), tool="sleep_ms", arguments_json='{"ms":50}') for i in range(5)])
                start = last = time.perf_counter()
                async for _ in client.events(request):
                    last = time.perf_counter()
                times.append((last - start) * 1e3)
            async with ceiling(folder) as limit:
                await warm_up(limit)
                noops = [(await seconds(client, [5]), await seconds(limit, [5])) for _ in range(plan.samples)]
    note = f"{plan.samples} batches, p99 {percentile(times, 0.99):.1f} ms"
    one, other = (median([both[who] for both in noops]) * 1e3 for who in (0, 1))
    return [
        Figure("five_50ms_p50_ms", "5 calls of 50 ms, p50", percentile(times, 0.5), "ms", 58, 56, note=note),
        Figure("five_noops_p50_ms", "5 no-op calls, p50", one, "ms", ceiling=other, note=f"{plan.samples} pairs"),
    ]
