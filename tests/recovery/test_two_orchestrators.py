"""Two orchestrators as processes on one PostgreSQL database: one is killed, stopped for too long, or told to go."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from tests.support.postgresql import PostgresServer, postgres_server
from tests.support.starts import (
    approve,
    call,
    executor,
    finished,
    ledger,
    open_gates,
    orchestrator,
    stub,
    submit,
    until_known,
    until_started,
)

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]
HARD = tool_pb2.TIER_HARD
TOOLS = ("read", "write", "send")
LEASE, GRACE = 2.0, 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


class Pair:
    """`one` gets what is submitted; `other` is there all the time."""

    def __init__(self, folder: Path, address: str, stack: ExitStack) -> None:
        tools = stack.enter_context(executor(folder))
        executors = tools.ready()["address"]
        self.one, self.other = [
            stack.enter_context(orchestrator(folder, name, executors, store=address, grace=GRACE, lease=LEASE))
            for name in ("one", "other")
        ]


@pytest.fixture
async def pair(tmp_path: Path, server: PostgresServer) -> AsyncGenerator[Pair]:
    async with server.database() as address:
        with ExitStack() as stack:
            yield Pair(tmp_path, address, stack)


def calls(folder: Path, prefix: str) -> list[Any]:
    """Three that wait at their gates, and one that needs a person once they are done."""
    names = [f"{prefix}{tool}" for tool in TOOLS]
    running = [call(tool, name, folder) for tool, name in zip(TOOLS, names, strict=True)]
    return [*running, call("send", f"{prefix}last", folder, *names, tier=HARD)]


async def begun(pair: Pair, folder: Path, client: Any, count: int) -> list[str]:
    """Batches of the first one, with calls that run."""
    await until_known(client, *TOOLS)
    batches = [await submit(client, *calls(folder, f"b{number}")) for number in range(count)]
    await until_started(folder, *[(f"b{number}{tool}", "1") for number in range(count) for tool in TOOLS])
    return batches


async def ended(client: Any, folder: Path, batches: list[str]) -> None:
    """The other one goes on with every batch, to its end; what must not run twice did not."""
    open_gates(folder, *[f"b{number}{name}" for number in range(len(batches)) for name in (*TOOLS, "last")])
    for number, batch_id in enumerate(batches):
        answer = await client.WaitBatch(
            pb.WaitBatchRequest(batch_id=batch_id, until=pb.UNTIL_BLOCKED), wait_for_ready=True
        )
        states = {one.key: one.state for one in answer.summary.answers}
        assert list(states.values()).count(states[f"b{number}read"]) == len(TOOLS)
        await approve(client, batch_id, f"b{number}last")
        assert set((await finished(client, batch_id)).values()) == {"SUCCEEDED"}
    sent = [key for key, _ in ledger(folder) if key.endswith(("send", "last"))]
    assert sorted(sent) == sorted({*sent})


async def test_killed_the_other_goes_on_with_every_batch(tmp_path: Path, pair: Pair) -> None:
    async with stub(pair.one.ready()["address"]) as client:
        batches = await begun(pair, tmp_path, client, 5)
        pair.one.popen.kill()
    async with stub(pair.other.ready()["address"]) as client:
        await ended(client, tmp_path, batches)


async def test_stopped_for_longer_than_its_lease_it_ends_itself_and_has_written_nothing(
    tmp_path: Path, pair: Pair
) -> None:
    async with stub(pair.one.ready()["address"]) as client:
        batches = await begun(pair, tmp_path, client, 3)
        pair.one.popen.send_signal(signal.SIGSTOP)
    async with stub(pair.other.ready()["address"]) as client:
        await ended(client, tmp_path, batches)
        heads = [await head(client, batch_id) for batch_id in batches]
        pair.one.popen.send_signal(signal.SIGCONT)
        assert await asyncio.to_thread(pair.one.popen.wait, 20) == 1
        assert "another orchestrator has ended" in pair.one.err.read_text()
        assert [await head(client, batch_id) for batch_id in batches] == heads


async def test_told_to_go_it_hands_over_what_does_not_run_and_then_the_rest(tmp_path: Path, pair: Pair) -> None:
    async with stub(pair.one.ready()["address"]) as client:
        batches = await begun(pair, tmp_path, client, 3)
        pair.one.popen.send_signal(signal.SIGTERM)
    async with stub(pair.other.ready()["address"]) as client:
        await ended(client, tmp_path, batches)
        assert await asyncio.to_thread(pair.one.popen.wait, 20) == 0


async def head(client: Any, batch_id: str) -> int:
    return (await client.GetBatch(pb.GetBatchRequest(batch_id=batch_id))).batch.sequence
