"""An agent's turn: five calls of 50 ms, from sending the batch to its last event.

The ceiling makes the same calls in between, so that a slow machine is told from a slow pair.
"""

import time

from greenlight.orchestrator.v1 import proposal_pb2
from tests.bench.clients import SLOW, Ours, batch, ceiling, ours, seconds, warm_up
from tests.bench.figures import Figure, median, percentile
from tests.bench.plan import Plan
from tests.bench.services import services

# The ceiling's time where the limits were set, in ms.
SET_AT = 54
# Of ours, one is followed by one of the ceiling.
EVERY = 3


async def five_50ms(plan: Plan) -> list[Figure]:
    times: list[float] = []
    limits: list[float] = []
    ratios: list[float] = []
    folder = plan.folder / "five_50ms"
    with services(folder) as pair:
        async with ours(pair) as client, ceiling(folder, SLOW) as limit:
            await warm_up(client, limit)
            for number in range(plan.samples):
                times.append(await _milliseconds(client))
                if number % EVERY == 0:
                    limits.append(await seconds(limit, [5]) * 1e3)
                    ratios.append(times[-1] / limits[-1])
    note = f"{len(times)} batches, p99 {percentile(times, 0.99):.1f} ms"
    spread = f"{len(ratios)} pairs, quartiles {percentile(ratios, 0.25):.3f} and {percentile(ratios, 0.75):.3f}"
    must, aim = 58, 56
    return [
        Figure(
            "five_50ms_p50_ms",
            "5 calls of 50 ms, p50",
            median(times),
            "ms",
            must,
            aim,
            ceiling=median(limits),
            note=note,
        ),
        Figure(
            "five_50ms_of_ceiling",
            "5 calls of 50 ms, of the ceiling's time",
            median(ratios),
            "",
            must / SET_AT,
            aim / SET_AT,
            note=spread,
        ),
    ]


async def _milliseconds(client: Ours) -> float:
    new = proposal_pb2.ProposalSpec
    request = batch([new(key=str(i), tool="sleep_ms", arguments_json='{"ms":50}') for i in range(5)])
    start = last = time.perf_counter()
    async for _ in client.events(request):
        last = time.perf_counter()
    return (last - start) * 1e3
