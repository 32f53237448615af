"""From sending DecideProposals until the tool starts, nothing else going on.

The call is HARD and NON_IDEMPOTENT: decision and attempt are on disk before it is sent. Its start is the executor's
`start_time`; both processes read the wall clock of this machine.
"""

import asyncio
import time

from greenlight.orchestrator.v1 import orchestrator_pb2, proposal_pb2
from tests.bench.clients import Ours, batch, ours, warm_up
from tests.bench.figures import Figure, percentile
from tests.bench.plan import Plan
from tests.bench.services import services

IDLE = 0.01


async def approve_to_start(plan: Plan) -> list[Figure]:
    with services(plan.folder / "approve_to_start") as pair:
        async with ours(pair) as client:
            await warm_up(client)
            for _ in range(10):
                await _one(client)
            times = [await _one(client) for _ in range(plan.samples)]
    label, note = "approve -> the call starts, idle", f"{plan.samples} proposals"
    return [
        Figure("approve_to_start_p50_ms", f"{label}, p50", percentile(times, 0.5), "ms", 5, 3, note=note),
        Figure("approve_to_start_p99_ms", f"{label}, p99", percentile(times, 0.99), "ms", 20, 15, note=note),
    ]


async def _one(client: Ours) -> float:
    sent = started = 0
    proposal = proposal_pb2.ProposalSpec(key="hard", tool="hard_noop", arguments_json='{"text":"go"}')
    async for event in client.events(batch([proposal])):
        if event.HasField("decision_requested"):
            request = orchestrator_pb2.DecideProposalsRequest()
            request.decisions.add(
                proposal_id=f"{event.batch_id}/hard",
                verdict=proposal_pb2.VERDICT_APPROVE,
                digest=event.decision_requested.digest,
            )
            await asyncio.sleep(IDLE)
            sent = time.time_ns()
            answer = (await client.stub.DecideProposals(request)).answers[0]
            assert answer.status.code == 0, answer
        elif event.HasField("proposal_succeeded"):
            started = event.proposal_succeeded.start_time.ToNanoseconds()
    assert sent, "never asked for a decision"
    assert started, "never started"
    return (started - sent) / 1e6
