"""An orchestrator's process stands still while an executor is lost, or answers: that time is not the executor's."""

import asyncio
import signal
from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.bench.processes import environment, python, running
from tests.recovery.test_killed_executor import until_accepted
from tests.support.proxy import CuttableProxy
from tests.support.starts import call, executor, finished, open_gates, stub, submit, until_known, until_started

pytestmark = pytest.mark.slow
WINDOW = 1.0


async def test_an_executor_that_came_back_meanwhile_is_asked_first(tmp_path: Path) -> None:
    command = python("-m", "orchestrator_svc", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"))
    env = environment(GREENLIGHT_REATTACH_WINDOW=str(WINDOW))
    with executor(tmp_path) as tools:
        async with CuttableProxy(tools.ready()["address"]) as link:
            with running("one", [*command, "--executors", link.address], tmp_path / "one", env) as one:
                async with stub((await asyncio.to_thread(one.ready))["address"]) as client:
                    await until_known(client, "send")
                    batch_id = await submit(client, call("send", "s", tmp_path))
                    await until_started(tmp_path, ("s", "1"))
                    link.refusing = True
                    await link.cut()
                    while "disconnected" not in one.err.read_text():  # noqa: ASYNC110 - another process
                        await asyncio.sleep(0.001)
                    one.popen.send_signal(signal.SIGSTOP)
                    link.refusing = False
                    open_gates(tmp_path, "s")
                    await asyncio.sleep(2 * WINDOW)
                    one.popen.send_signal(signal.SIGCONT)
                    assert await finished(client, batch_id) == {"s": "SUCCEEDED"}
                    answer = await client.ListEvents(pb.ListEventsRequest(batch_id=batch_id))
    assert not [event for event in answer.frame.events if event.HasField("outcome_unknown")]


async def test_an_answer_to_a_cancel_that_came_meanwhile_counts(tmp_path: Path) -> None:
    command = python("-m", "orchestrator_svc", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"))
    env = environment(GREENLIGHT_CANCEL_GRACE=str(WINDOW))
    with executor(tmp_path) as tools:
        address = tools.ready()["address"]
        with running("one", [*command, "--executors", address], tmp_path / "one", env) as one:
            async with stub(one.ready()["address"]) as client:
                await until_known(client, "careful")
                batch_id = await submit(client, call("careful", "c", tmp_path))
                await until_accepted(client, batch_id, "c")
                tools.popen.send_signal(signal.SIGSTOP)
                await client.CancelBatch(pb.CancelBatchRequest(batch_id=batch_id))
                one.popen.send_signal(signal.SIGSTOP)
                tools.popen.send_signal(signal.SIGCONT)
                await asyncio.sleep(3 * WINDOW)
                one.popen.send_signal(signal.SIGCONT)
                assert await finished(client, batch_id) == {"c": "CANCELLED"}
                answer = await client.GetProposal(pb.GetProposalRequest(proposal_id=f"{batch_id}/c"))
    assert [attempt.failure.reason for attempt in answer.proposal.attempts] == ["CANCELLED"]
