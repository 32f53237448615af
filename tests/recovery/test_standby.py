"""A second orchestrator on the same file stands by: not serving, and taking over once the first is gone."""

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from shared.runtime.check_health import check
from tests.bench.processes import Process, waiting
from tests.support.refusals import refusal
from tests.support.starts import (
    approve,
    call,
    executor,
    finished,
    ledger,
    open_gates,
    orchestrator,
    said,
    stub,
    submit,
    until_known,
    until_started,
)

pytestmark = pytest.mark.slow


@contextmanager
def after(first: Process, start: AbstractContextManager[Process]) -> Iterator[Process]:
    """Begins once the first one serves: so it is that one that has the store."""
    first.ready()
    with start as process:
        yield process


def kill(process: Process) -> None:
    process.popen.send_signal(signal.SIGKILL)
    process.popen.wait()


async def test_it_goes_on_with_what_was_approved(tmp_path: Path) -> None:
    hard = tool_pb2.TIER_HARD
    calls = [call("read", "r", tmp_path), call("send", "s", tmp_path), call("send", "t", tmp_path, "r", tier=hard)]
    with executor(tmp_path) as tools:
        address = tools.ready()["address"]
        with (
            orchestrator(tmp_path, "one", address) as one,
            after(one, orchestrator(tmp_path, "two", address, standby=True)) as two,
        ):
            async with stub(one.ready()["address"]) as client:
                waits = said(two, "standby")["address"]
                assert (await check(waits)).endswith("NOT_SERVING")
                await until_known(client, "read", "send")
                batch_id = await submit(client, *calls)
                await until_started(tmp_path, ("r", "1"), ("s", "1"))
                await approve(client, batch_id, "t")
            async with stub(waits) as client:
                refused = await refusal(client.GetBatch(pb.GetBatchRequest(batch_id=batch_id)))
                assert (refused.short, refused.retry_after) == (("UNAVAILABLE", "STANDBY"), 1.0)
                kill(one)
                open_gates(tmp_path, "r", "s", "t")
                await until_started(tmp_path, ("t", "1"))
                assert said(two, "ready")["address"] == waits
                assert await check(waits) == ""
                assert (await client.GetBatch(pb.GetBatchRequest(batch_id=batch_id))).batch.batch_id == batch_id
                assert await finished(client, batch_id) == dict.fromkeys("rst", "SUCCEEDED")
    assert sorted(ledger(tmp_path)) == [("r", "1"), ("r", "2"), ("s", "1"), ("t", "1")], "no side effect twice"
    assert "standing by until" in two.err.read_text()
    assert "taking over" in two.err.read_text()


async def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with orchestrator(tmp_path, "one", "127.0.0.1:1") as one:
        one.ready()
        with orchestrator(tmp_path, "two", "127.0.0.1:1", standby=True) as two:
            for _ in waiting("two to stand by", two):
                if "standing by until" in two.err.read_text():
                    break
            two.popen.send_signal(signal.SIGTERM)
            assert two.popen.wait(10) == 0
        one.check()


async def test_without_the_setting_a_second_one_does_not_start(tmp_path: Path) -> None:
    with orchestrator(tmp_path, "one", "127.0.0.1:1") as one:
        one.ready()
        with orchestrator(tmp_path, "two", "127.0.0.1:1") as two:
            assert two.popen.wait(20) == 1
        assert "STORE_LOCKED" in two.err.read_text()


async def test_one_that_is_stopped_keeps_its_file_and_goes_on(tmp_path: Path) -> None:
    with executor(tmp_path) as tools:
        address = tools.ready()["address"]
        with (
            orchestrator(tmp_path, "one", address) as one,
            after(one, orchestrator(tmp_path, "two", address, standby=True)) as two,
        ):
            async with stub(one.ready()["address"]) as client:
                waits = said(two, "standby")["address"]
                await until_known(client, "send")
                batch_id = await submit(client, call("send", "s", tmp_path))
                await until_started(tmp_path, ("s", "1"))
                one.popen.send_signal(signal.SIGSTOP)
                try:
                    open_gates(tmp_path, "s")
                    for _ in range(20):
                        assert (await check(waits)).endswith("NOT_SERVING")
                finally:
                    one.popen.send_signal(signal.SIGCONT)
                assert await finished(client, batch_id) == {"s": "SUCCEEDED"}
    assert ledger(tmp_path) == [("s", "1")]
    assert "taking over" not in two.err.read_text()


async def test_one_that_is_told_to_go_serves_no_more_while_its_calls_end(tmp_path: Path) -> None:
    with executor(tmp_path) as tools, orchestrator(tmp_path, "one", tools.ready()["address"], grace=30) as one:
        address = one.ready()["address"]
        async with stub(address) as client:
            await until_known(client, "send")
            await submit(client, call("send", "s", tmp_path))
            await until_started(tmp_path, ("s", "1"))
            one.popen.send_signal(signal.SIGTERM)
            while not (wrong := await check(address)):
                pass
            assert wrong.endswith("NOT_SERVING")
            open_gates(tmp_path, "s")
            assert one.popen.wait(10) == 0
        async with AsyncExitStack() as stack:
            again = stack.enter_context(orchestrator(tmp_path, "two", tools.ready()["address"]))
            client = await stack.enter_async_context(stub(again.ready()["address"]))
            (batch,) = (await client.ListBatches(pb.ListBatchesRequest())).batches
            assert await finished(client, batch.batch_id) == {"s": "SUCCEEDED"}
    assert ledger(tmp_path) == [("s", "1")]
