"""A call that timed out, or was cancelled, while a thread that its async tool awaits goes on: its effect comes once."""

import asyncio
from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from tests.support.gates import GATES
from tests.support.services import Services, call, services, states
from tests.support.toolboxes import lending

TOOLBOX = "tests.support.toolboxes.lending"


@pytest.fixture(autouse=True)
def ledger(gates: None) -> None:
    lending.LEDGER.clear()


async def looked_for(running: Services, batch_id: str) -> proposal_pb2.Attempt:
    """The attempt, once its effect was looked for, and was not there."""
    while True:
        (attempt,) = (await running.proposal(batch_id, "p")).attempts
        if attempt.probe.finding == proposal_pb2.PROBE_FINDING_NOT_FOUND:
            return attempt
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("stopped", ["timed out", "cancelled"])
async def test_it_is_found_when_it_comes_and_not_made_again(tmp_path: Path, stopped: str) -> None:
    async with services(tmp_path, toolboxes=(TOOLBOX,), known=("pay",)) as running:
        proposal = call("pay", "p", {"amount": 5})
        if stopped == "timed out":
            proposal.timeout.FromMilliseconds(50)
        batch_id = (await running.submit(proposal)).batch_id
        await GATES.reached("gate started")
        if stopped == "cancelled":
            await running.stub.CancelProposals(pb.CancelProposalsRequest(proposal_ids=[f"{batch_id}/p"]))
        assert (await looked_for(running, batch_id)).may_still_run
        GATES.open("gate")
        answers = (await running.summary(batch_id, pb.UNTIL_FINISHED)).answers
        assert states(answers) == {"p": "SUCCEEDED"}
        assert len((await running.proposal(batch_id, "p")).attempts) == 1
    assert list(lending.LEDGER.values()) == [[5]]
