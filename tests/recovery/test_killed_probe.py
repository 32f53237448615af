"""Real processes: an outcome is unknown, and its tool looks for the effect in a ledger outside of the system."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.orchestrator.v1 import proposal_pb2
from tests.recovery.test_killed_executor import UNKNOWN, Site, kill, settled, stub, submit, until_accepted
from tests.recovery.test_killed_process import until_started
from tests.support.proxy import CuttableProxy
from tests.support.services import states

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def finished(client: Any, batch_id: str) -> dict[str, str]:
    answer = await client.WaitBatch(pb.WaitBatchRequest(batch_id=batch_id, until=pb.UNTIL_FINISHED))
    return states(answer.summary.answers)


async def attempts(client: Any, batch_id: str, key: str) -> list[proposal_pb2.Attempt]:
    request = pb.GetProposalRequest(proposal_id=f"{batch_id}/{key}")
    return list((await client.GetProposal(request)).proposal.attempts)


@pytest.mark.parametrize("effects", [0, 1], ids=["before its effect", "after its effect"])
async def test_killed_in_the_call_the_effect_is_found_or_the_call_is_made_again(site: Site, effects: int) -> None:
    with site.executor() as executor, site.orchestrator() as orchestrator:
        async with stub(orchestrator) as client:
            batch_id = await submit(client, site, "p", tool="transfer")
            await until_accepted(client, batch_id, "p")
            if effects:
                site.open("p.go")
                await until_started(site.folder, ("p", "1"))
            kill(executor)
            with site.executor():
                site.open("p.go", "p.gate")
                assert await finished(client, batch_id) == {"p": "SUCCEEDED"}
                assert len(await attempts(client, batch_id, "p")) == (1 if effects else 2)
    assert site.effects == [("p", "1" if effects else "2")]


async def test_the_orchestrator_was_killed_too(site: Site) -> None:
    """It had found the outcome to be unknown; the next start goes on looking."""
    with site.executor() as executor, site.orchestrator(0.5) as orchestrator:
        async with stub(orchestrator) as client:
            batch_id = await submit(client, site, "p", tool="transfer")
            await until_accepted(client, batch_id, "p")
            site.open("p.go")
            await until_started(site.folder, ("p", "1"))
            kill(executor)
            assert await settled(client, batch_id) == {"p": UNKNOWN}
            kill(orchestrator)
    with site.orchestrator() as orchestrator, site.executor():
        async with stub(orchestrator) as client:
            assert await finished(client, batch_id) == {"p": "SUCCEEDED"}
    assert site.effects == [("p", "1")]


async def test_not_found_while_the_first_run_is_alive_says_nothing(site: Site) -> None:
    """Its executor is cut off, another one looks: nothing is there yet, and nothing is sent again."""
    other = Site(site.folder)
    other.journal = site.folder / "other" / "journal.db"
    with site.executor() as first:
        async with CuttableProxy(first.ready()["address"]) as proxy:
            with site.orchestrator(0.5, f"{proxy.address},127.0.0.1:{other.port}") as orchestrator:
                async with stub(orchestrator) as client:
                    batch_id = await submit(client, site, "p", tool="transfer")
                    await until_accepted(client, batch_id, "p")
                    with other.executor("other"):
                        proxy.refusing = True
                        await proxy.cut()
                        await _until_not_found(client, batch_id, "p")
                        site.open("p.go", "p.gate")
                        proxy.refusing = False
                        assert await finished(client, batch_id) == {"p": "SUCCEEDED"}
                        assert len(await attempts(client, batch_id, "p")) == 1
    assert site.effects == [("p", "1")]


async def _until_not_found(client: Any, batch_id: str, key: str) -> None:
    while True:
        (attempt,) = await attempts(client, batch_id, key)
        if attempt.probe.finding == proposal_pb2.PROBE_FINDING_NOT_FOUND:
            assert attempt.may_still_run
            return
        await asyncio.sleep(0.01)
