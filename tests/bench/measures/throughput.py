"""Durable no-op calls a second, of the ceiling: one batch of 1,000, and 100 batches of 10 at once."""

from collections.abc import Sequence

from tests.bench.clients import ceiling, ours
from tests.bench.figures import Figure
from tests.bench.measures.ratio import compare
from tests.bench.plan import Plan
from tests.bench.services import services


async def batch_1000(plan: Plan) -> list[Figure]:
    return await _measure(plan, "batch_1000", "one batch of 1,000 no-op calls", [1000])


async def batches_100x10(plan: Plan) -> list[Figure]:
    return await _measure(plan, "batches_100x10", "100 batches at once, 10 calls each", [10] * 100)


async def _measure(plan: Plan, key: str, label: str, counts: Sequence[int]) -> list[Figure]:
    folder = plan.folder / key
    with services(folder) as pair:
        async with ours(pair) as client, ceiling(folder) as limit:
            got = await compare(client, limit, counts, plan.pairs)
    spread = f"{plan.pairs} pairs, quartiles {got.low:.2f} and {got.high:.2f}"
    return [
        Figure(f"{key}_per_s", label, got.one, "calls/s", higher_is_better=True, ceiling=got.other),
        Figure(f"{key}_of_ceiling", f"{label}, of the ceiling", got.ratio, "", 0.35, 0.5, True, note=spread),
    ]
