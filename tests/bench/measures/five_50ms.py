"""An agent's turn: five calls of 50 ms, from sending the batch to its last event."""

import time

from greenlight.orchestrator.v1 import proposal_pb2
from tests.bench.clients import batch, ours, warm_up
from tests.bench.figures import Figure, percentile
from tests.bench.plan import Plan
from tests.bench.services import services


async def five_50ms(plan: Plan) -> list[Figure]:
    times: list[float] = []
    with services(plan.folder / "five_50ms") as pair:
        async with ours(pair) as client:
            await warm_up(client)
            for _ in range(plan.samples):
                new = proposal_pb2.ProposalSpec
                request = batch([new(key=str(i), tool="sleep_ms", arguments_json='{"ms":50}') for i in range(5)])
                start = last = time.perf_counter()
                async for _ in client.events(request):
                    last = time.perf_counter()
                times.append((last - start) * 1e3)
    note = f"{plan.samples} batches, p99 {percentile(times, 0.99):.1f} ms"
    return [Figure("five_50ms_p50_ms", "5 calls of 50 ms, p50", percentile(times, 0.5), "ms", 58, 56, note=note)]
