"""The orchestrator's process is killed between a cancel and its executor's word: the next start hears it."""

import signal
from pathlib import Path
from typing import Any

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.bench.processes import Process
from tests.recovery.test_killed_executor import UNKNOWN, Site, kill, reason, stub, submit, until_accepted
from tests.recovery.test_killed_probe import finished
from tests.recovery.test_killed_process import until_started
from tests.support.proxy import CuttableProxy

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def cancel_and_die(client: Any, batch_id: str, orchestrator: Process) -> None:
    await client.CancelBatch(pb.CancelBatchRequest(batch_id=batch_id, reason="enough"))
    kill(orchestrator)


async def begun(client: Any, site: Site, tool: str) -> str:
    """A batch with one call, whose tool runs."""
    batch_id = await submit(client, site, "p", tool=tool)
    await until_accepted(client, batch_id, "p")
    return batch_id


@pytest.mark.parametrize(
    ("tool", "state"),
    [("read", "CANCELLED"), ("write", "CANCELLED"), ("pay", UNKNOWN), ("careful", "CANCELLED")],
)
async def test_stopped_half_way_it_goes_by_its_effect(site: Site, tool: str, state: str) -> None:
    with site.executor() as executor:
        with site.orchestrator() as orchestrator:
            async with stub(orchestrator) as client:
                batch_id = await begun(client, site, tool)
                executor.popen.send_signal(signal.SIGSTOP)
                await cancel_and_die(client, batch_id, orchestrator)
        executor.popen.send_signal(signal.SIGCONT)
        with site.orchestrator() as orchestrator:
            async with stub(orchestrator) as client:
                assert await finished(client, batch_id) == {"p": state}
                assert await reason(client, batch_id, "p") == "CANCELLED"


async def test_ended_first_its_real_outcome_counts(site: Site) -> None:
    with site.executor() as executor:
        async with CuttableProxy(executor.ready()["address"]) as proxy:
            with site.orchestrator(executors=proxy.address) as orchestrator:
                async with stub(orchestrator) as client:
                    batch_id = await begun(client, site, "pay")
                    proxy.refusing = True
                    await proxy.cut()
                    await cancel_and_die(client, batch_id, orchestrator)
        site.open("p.go", "p.gate")
        await until_started(site.folder, ("p", "1"))
        with site.orchestrator() as orchestrator:
            async with stub(orchestrator) as client:
                assert await finished(client, batch_id) == {"p": "SUCCEEDED"}
    assert site.effects == [("p", "1")]


@pytest.mark.parametrize("tool", ["write", "pay"])
async def test_never_started_it_is_cancelled_and_never_will(site: Site, tool: str) -> None:
    """Its frame did not come through; the executor is another start, too, when it is asked."""
    site.open("p.go", "p.gate")
    with site.executor() as executor, site.orchestrator() as orchestrator:
        async with stub(orchestrator) as client:
            executor.popen.send_signal(signal.SIGSTOP)
            batch_id = await submit(client, site, "p", tool=tool)
            await cancel_and_die(client, batch_id, orchestrator)
            kill(executor)
    with site.executor(), site.orchestrator() as orchestrator:
        async with stub(orchestrator) as client:
            assert await finished(client, batch_id) == {"p": "CANCELLED"}
    assert site.effects == []


@pytest.mark.parametrize(("tool", "state"), [("read", "CANCELLED"), ("write", "CANCELLED"), ("pay", UNKNOWN)])
async def test_no_answer_within_the_grace_is_as_a_lost_executor(site: Site, tool: str, state: str) -> None:
    """Long before the window for lost executors is over, also where the executor is not even there."""
    with site.executor() as executor:
        with site.orchestrator(3600) as orchestrator:
            async with stub(orchestrator) as client:
                batch_id = await begun(client, site, tool)
                executor.popen.send_signal(signal.SIGSTOP)
                await cancel_and_die(client, batch_id, orchestrator)
        with site.orchestrator(3600, GREENLIGHT_CANCEL_GRACE="0.5") as orchestrator:
            async with stub(orchestrator, silent=True) as client:
                assert await finished(client, batch_id) == {"p": state}
                assert await reason(client, batch_id, "p") == "CANCEL_UNANSWERED"
        executor.popen.send_signal(signal.SIGCONT)


async def test_a_slot_is_free_again_after_it(site: Site) -> None:
    with site.executor(slots=1) as executor:
        with site.orchestrator() as orchestrator:
            async with stub(orchestrator) as client:
                batch_id = await begun(client, site, "pay")
                executor.popen.send_signal(signal.SIGSTOP)
                await cancel_and_die(client, batch_id, orchestrator)
        executor.popen.send_signal(signal.SIGCONT)
        site.open("q.go", "q.gate")
        with site.orchestrator() as orchestrator:
            async with stub(orchestrator) as client:
                assert await finished(client, batch_id) == {"p": UNKNOWN}
                assert await finished(client, await submit(client, site, "q")) == {"q": "SUCCEEDED"}
    assert site.effects == [("q", "1")]
