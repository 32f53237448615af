"""One request id at both orchestrators at once, each of which has a batch that it is about."""

import asyncio
import uuid
from collections.abc import Sequence

import grpc
import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from tests.support.gates import GATES
from tests.support.neighbours_served import Both
from tests.support.refusals import refusal
from tests.support.services import Services, call, states

pytestmark = pytest.mark.postgresql

NAMES = [f"k{number}" for number in range(12)]
RIVALS = [((0,), (1,)), ((1,), (0,)), ((0, 1), (1,)), ((0,), (0, 1))]
"""Of what each orchestrator is asked, by whose batch it is about."""


async def held(both: Both) -> list[str]:
    """A batch of each, with a call that runs and may be made only once."""
    batches = [
        await services.submit(call("send", "runs", {"gate": "gate"}), *[call("note", name) for name in NAMES])
        for services in (both.one, both.other)
    ]
    for services, batch in zip((both.one, both.other), batches, strict=True):
        await services.until_state(batch.batch_id, "runs", proposal_pb2.PROPOSAL_STATE_RUNNING)
    return [batch.batch_id for batch in batches]


def rejecting(batches: Sequence[str], name: str, request_id: str) -> pb.DecideProposalsRequest:
    reject = proposal_pb2.VERDICT_REJECT
    decisions = [pb.Decision(proposal_id=f"{batch_id}/{name}", verdict=reject) for batch_id in batches]
    return pb.DecideProposalsRequest(decisions=decisions, request_id=request_id)


async def told(services: Services, request: pb.DecideProposalsRequest) -> str:
    """The reason why it is refused, if it is."""
    answer = services.stub.DecideProposals(request)
    return "" if await answer.code() is grpc.StatusCode.OK else (await refusal(answer)).reason


async def decided(services: Services, batch_id: str, name: str) -> int:
    """How often."""
    events = (await services.stub.ListEvents(pb.ListEventsRequest(batch_id=batch_id, page_size=1000))).frame.events
    return sum(event.key == name and event.HasField("proposal_decided") for event in events)


async def check_that_it_runs_on(both: Both, batches: Sequence[str]) -> None:
    GATES.open("gate")
    for batch_id in batches:
        await both.one.stub.CancelProposals(
            pb.CancelProposalsRequest(proposal_ids=[f"{batch_id}/{name}" for name in NAMES])
        )
        found = states((await both.one.summary(batch_id)).answers)
        assert found["runs"] == "SUCCEEDED"
    assert GATES.runs.count("send") == len(batches)


async def test_the_same_is_done_once(both: Both):
    batches = await held(both)
    for name in NAMES:
        request = rejecting(batches, name, str(uuid.uuid4()))
        first, second = await asyncio.gather(
            *[services.stub.DecideProposals(request) for services in (both.one, both.other)]
        )
        assert first == second
        assert [answer.status.code for answer in first.answers] == [0, 0]
        assert [await decided(both.one, batch_id, name) for batch_id in batches] == [1, 1]
    await check_that_it_runs_on(both, batches)


@pytest.mark.parametrize("rivals", RIVALS)
async def test_of_two_one_is_done(both: Both, rivals: tuple[Sequence[int], Sequence[int]]):
    batches = await held(both)
    for name in NAMES:
        request_id = str(uuid.uuid4())
        requests = [rejecting([batches[place] for place in places], name, request_id) for places in rivals]
        reasons = await asyncio.gather(told(both.one, requests[0]), told(both.other, requests[1]))
        assert sorted(reasons) == ["", "REQUEST_ID_REUSED"]
        done = rivals[reasons.index("")]
        counts = [await decided(both.one, batch_id, name) for batch_id in batches]
        assert counts == [int(place in done) for place in (0, 1)]
    await check_that_it_runs_on(both, batches)
