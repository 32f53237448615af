"""A command at an orchestrator that does not have the batch, and the same at the one that has it.

Two orchestrators as processes on PostgreSQL. A call of the batch runs behind its gate all the time, so that the batch
stays the first one's. One request at a time: a proposal is added, then it is decided; at the one and the other in
turns. Needs a PostgreSQL on the machine (apt-get install postgresql).
"""

import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from tests.bench.figures import Figure, median, percentile
from tests.bench.plan import Plan
from tests.support.postgresql import postgres_server
from tests.support.starts import call, executor, open_gates, orchestrator, stub, until_known, until_started

WARM_UP = 30
MUST, AIM = 20, 10


async def across(plan: Plan) -> list[Figure]:
    folder = plan.folder / "across"
    folder.mkdir()
    async with _both(folder) as (owner, other):
        batch_id = await _batch_of(owner, folder)
        await _measure([owner, other], batch_id, folder, WARM_UP, "warm")
        found = await _measure([owner, other], batch_id, folder, plan.samples, "")
        open_gates(folder, "r")
    return [_figure(name, *[times[name] for times in found]) for name in ("decide", "add")]


def _figure(name: str, here: list[float], there: list[float]) -> Figure:
    label = {"decide": "DecideProposals", "add": "AddProposals"}[name] + " at the one that does not have the batch, p50"
    owners = f"at its owner p50 {median(here):.1f} ms, p99 {percentile(here, 0.99):.1f} ms"
    note = f"p99 {percentile(there, 0.99):.1f} ms; {owners}; {len(there)} times"
    return Figure(f"across_{name}_ms", label, median(there), "ms", MUST, AIM, note=note)


@asynccontextmanager
async def _both(folder: Path) -> AsyncGenerator[tuple[Any, Any]]:
    """Clients of both orchestrators."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(postgres_server())
        store = await stack.enter_async_context(server.database())
        tools = stack.enter_context(executor(folder)).ready()["address"]
        clients: list[Any] = []
        for name in ("owner", "other"):
            process = stack.enter_context(orchestrator(folder, name, tools, store=store))
            clients.append(await stack.enter_async_context(stub(process.ready()["address"])))
        for client in clients:
            await until_known(client, "read", "send")
        yield clients[0], clients[1]


async def _batch_of(owner: Any, folder: Path) -> str:
    spec = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=[call("read", "r", folder)]), open=True)
    batch_id = (await owner.SubmitBatch(pb.SubmitBatchRequest(batch=spec))).batch.batch_id
    await until_started(folder, ("r", "1"))
    return batch_id


async def _measure(
    clients: list[Any], batch_id: str, folder: Path, count: int, prefix: str
) -> list[dict[str, list[float]]]:
    """ms of each request, by client and kind."""
    found: list[dict[str, list[float]]] = [{"add": [], "decide": []} for _ in clients]
    for number in range(count):
        for place, client in enumerate(clients):
            key = f"{prefix}{place}-{number}"
            added = call("send", key, folder, tier=tool_pb2.TIER_HARD)
            start = time.perf_counter()
            await client.AddProposals(pb.AddProposalsRequest(batch_id=batch_id, proposals=[added]))
            found[place]["add"].append((time.perf_counter() - start) * 1e3)
            decision = pb.Decision(proposal_id=f"{batch_id}/{key}", verdict=proposal_pb2.VERDICT_REJECT)
            start = time.perf_counter()
            (answer,) = (await client.DecideProposals(pb.DecideProposalsRequest(decisions=[decision]))).answers
            found[place]["decide"].append((time.perf_counter() - start) * 1e3)
            assert answer.status.code == 0, answer
    return found
