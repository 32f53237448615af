"""What the executor's journal costs: one batch of 1,000 NON_IDEMPOTENT no-op calls, of the same with READ ones."""

from tests.bench.clients import ours
from tests.bench.figures import Figure
from tests.bench.measures.ratio import compare
from tests.bench.plan import Plan
from tests.bench.services import services


async def non_idempotent(plan: Plan) -> list[Figure]:
    with services(plan.folder / "non_idempotent") as pair:
        async with ours(pair, "append") as durable, ours(pair) as read:
            got = await compare(durable, read, [1000], plan.pairs)
    note = f"{plan.pairs} pairs, quartiles {got.low:.2f} and {got.high:.2f}, READ {got.other:,.0f} calls/s"
    label = "one batch of 1,000 NON_IDEMPOTENT no-op calls"
    return [
        Figure("non_idempotent_per_s", label, got.one, "calls/s", higher_is_better=True),
        Figure("non_idempotent_of_read", f"{label}, of READ ones", got.ratio, "", 0.35, 0.6, True, note=note),
    ]
