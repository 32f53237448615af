"""A command at an orchestrator that does not have the batch, and the same at the one that has it.

Two orchestrators as processes on PostgreSQL. A call of the batch runs behind its gate all the time, so that the batch
stays the first one's. One request at a time: a proposal is added, then it is decided; at the one and the other in
turns. Then as many decisions at once as a crowd sends. Needs a PostgreSQL on the machine (apt-get install postgresql).
"""

import asyncio
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
CROWDS, ROUNDS = (10, 50), 10
MUST, AIM = 20, 10


async def across(plan: Plan) -> list[Figure]:
    folder = plan.folder / "across"
    folder.mkdir()
    async with _both(folder) as (owner, other):
        batch_id = await _batch_of(owner, folder)
        await _measure([owner, other], batch_id, folder, WARM_UP, "warm")
        found = await _measure([owner, other], batch_id, folder, plan.samples, "")
        crowds = [await _crowds([owner, other], batch_id, folder, size) for size in CROWDS]
        open_gates(folder, "r")
    alone = [_figure(name, *[times[name] for times in found]) for name in ("decide", "add")]
    return [*alone, *[_crowd_figure(size, *times) for size, times in zip(CROWDS, crowds, strict=True)]]


def _figure(name: str, here: list[float], there: list[float]) -> Figure:
    label = {"decide": "DecideProposals", "add": "AddProposals"}[name] + " at the one that does not have the batch, p50"
    owners = f"at its owner p50 {median(here):.1f} ms, p99 {percentile(here, 0.99):.1f} ms"
    note = f"p99 {percentile(there, 0.99):.1f} ms; {owners}; {len(there)} times"
    return Figure(f"across_{name}_ms", label, median(there), "ms", MUST, AIM, note=note)


def _crowd_figure(size: int, here: list[float], there: list[float]) -> Figure:
    label = f"{size} decisions for one batch at once, at the one that does not have it"
    note = f"at its owner {size / median(here):.0f}/s; {len(there)} times"
    return Figure(f"across_{size}_at_once", label, size / median(there), "/s", higher_is_better=True, note=note)


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
            start = time.perf_counter()
            await _reject(client, batch_id, key)
            found[place]["decide"].append((time.perf_counter() - start) * 1e3)
    return found


async def _crowds(clients: list[Any], batch_id: str, folder: Path, size: int) -> list[list[float]]:
    """s until all are answered, by client."""
    found: list[list[float]] = [[] for _ in clients]
    for number in range(ROUNDS):
        for place, client in enumerate(clients):
            keys = [f"crowd{place}-{size}-{number}-{each}" for each in range(size)]
            added = [call("send", key, folder, tier=tool_pb2.TIER_HARD) for key in keys]
            await clients[0].AddProposals(pb.AddProposalsRequest(batch_id=batch_id, proposals=added))
            start = time.perf_counter()
            await asyncio.gather(*[_reject(client, batch_id, key) for key in keys])
            found[place].append(time.perf_counter() - start)
    return found


async def _reject(client: Any, batch_id: str, key: str) -> None:
    decision = pb.Decision(proposal_id=f"{batch_id}/{key}", verdict=proposal_pb2.VERDICT_REJECT)
    (answer,) = (await client.DecideProposals(pb.DecideProposalsRequest(decisions=[decision]))).answers
    assert answer.status.code == 0, answer
