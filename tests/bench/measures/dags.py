"""Random DAGs: the batch's wall time over the longest path through what the tools themselves took.

5 to 60 READ calls of 5 to 50 ms, an edge between any two with probability 0.1, always the same DAGs.
"""

import random
import time
from dataclasses import dataclass

from greenlight.orchestrator.v1 import proposal_pb2
from tests.bench.clients import Ours, batch, ours, warm_up
from tests.bench.figures import Figure, median, percentile
from tests.bench.plan import Plan
from tests.bench.services import services

SEED = 20261121


@dataclass(frozen=True)
class Dag:
    milliseconds: list[int]
    # Of each node: the earlier ones that it waits for.
    parents: list[list[int]]


def random_dag(source: random.Random) -> Dag:
    count = source.randint(5, 60)
    parents = [[i for i in range(node) if source.random() < 0.1] for node in range(count)]
    return Dag([source.randint(5, 50) for _ in range(count)], parents)


def longest_path(parents: list[list[int]], times: list[float]) -> float:
    ends: list[float] = []
    for node, before in enumerate(parents):
        ends.append(times[node] + max((ends[parent] for parent in before), default=0.0))
    return max(ends)


async def dags(plan: Plan) -> list[Figure]:
    source = random.Random(SEED)
    ratios: list[float] = []
    with services(plan.folder / "dags") as pair:
        async with ours(pair) as client:
            await warm_up(client)
            for _ in range(plan.dags):
                ratios.append(await _one(client, random_dag(source)))
    note = f"{plan.dags} DAGs, p90 {percentile(ratios, 0.9):.3f}"
    label = "random DAGs: wall time / longest path over measured tool times, median"
    return [Figure("dag_over_critical_path", label, median(ratios), "", 1.10, 1.05, note=note)]


async def _one(client: Ours, dag: Dag) -> float:
    proposals: list[proposal_pb2.ProposalSpec] = []
    for node, (milliseconds, parents) in enumerate(zip(dag.milliseconds, dag.parents, strict=True)):
        proposal = proposal_pb2.ProposalSpec(key=str(node), tool="sleep_ms", arguments_json=f'{{"ms":{milliseconds}}}')
        for parent in parents:
            proposal.depends_on.add(key=str(parent))
        proposals.append(proposal)
    request = batch(proposals)
    times = [0.0] * len(proposals)
    start = last = time.perf_counter()
    async for event in client.events(request):
        last = time.perf_counter()
        if event.HasField("proposal_succeeded"):
            times[int(event.key)] = event.proposal_succeeded.timing.tool.ToNanoseconds() / 1e9
    wall = last - start
    assert all(times), "a call did not succeed"
    return wall / longest_path(dag.parents, times)
