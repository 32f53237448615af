"""A call's frame comes after somebody has gone on without it.

That is what an owner sends that stops between the record of an attempt and its frame, and goes on later; and what was
under way on a stream that one side only knows to be broken. Whoever goes on asks the call's executor: *never seen*
fences it, and the late frame runs nothing, whatever its effect. Where that executor was out of reach the frame runs:
READ and IDEMPOTENT have run elsewhere meanwhile, and are repeated, with one key; NON_IDEMPOTENT has not.
"""

import asyncio
import signal
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from tests.bench.processes import Process
from tests.recovery.test_standby import after, kill
from tests.support.half_open import HalfOpenProxy
from tests.support.postgresql import PostgresServer
from tests.support.proxy import CuttableProxy
from tests.support.services import states
from tests.support.starts import (
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
    until_stopped,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
LEASE, WINDOW = 2.0, 1.0
TOOLS = ["read", "write", "send"]
"""One of each effect."""

STORES = [*(("sqlite", tool) for tool in TOOLS), pytest.param("postgresql", "send", marks=pytest.mark.postgresql)]


@pytest.fixture
async def store(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address; '' is the file."""
    if request.param == "sqlite":
        yield ""
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        async with server.database() as url:
            yield url


@pytest.fixture
async def database(postgres: PostgresServer) -> AsyncIterator[str]:
    async with postgres.database() as url:
        yield url


async def proposal(client: Any, batch_id: str) -> proposal_pb2.Proposal:
    """As it is on record."""
    return (await client.GetProposal(pb.GetProposalRequest(proposal_id=f"{batch_id}/c"))).proposal


async def record(client: Any, batch_id: str) -> tuple[int, proposal_pb2.Proposal]:
    """How many events there are, and what came of them; how long recording took is written later."""
    batch = (await client.GetBatch(pb.GetBatchRequest(batch_id=batch_id))).batch
    found = await proposal(client, batch_id)
    for attempt in found.attempts:
        attempt.timing.ClearField("record")
    return batch.sequence, found


def keys(folder: Path) -> set[str]:
    """Idempotency keys of all starts of the tool."""
    return {line.split()[2] for line in (folder / "ledger").read_text().splitlines()}


async def recorded_and_held(client: Any, folder: Path, link: HalfOpenProxy, tool: str) -> str:
    """A batch whose call is on record as sent, while its frame is on its way."""
    await until_known(client, tool)
    link.holding = True
    open_gates(folder, "c")
    batch_id = await submit(client, call(tool, "c", folder))
    await link.until_held(f"{batch_id}/c/1")
    assert [attempt.number for attempt in (await proposal(client, batch_id)).attempts] == [1]
    return batch_id


def other(folder: Path, executors: str, store: str) -> AbstractContextManager[Process]:
    """On a file it stands by; on a database it is as active as the first one."""
    return orchestrator(folder, "two", executors, store=store, standby=not store, lease=LEASE)


@pytest.mark.parametrize(("store", "tool"), STORES, indirect=["store"])
async def test_of_an_owner_that_was_killed_between_record_and_frame(tmp_path: Path, store: str, tool: str) -> None:
    with executor(tmp_path) as tools:
        address = tools.ready()["address"]
        async with HalfOpenProxy(address) as link:
            with (
                orchestrator(tmp_path, "one", link.address, store=store, lease=LEASE) as one,
                after(one, other(tmp_path, address, store)) as two,
            ):
                async with stub(one.ready()["address"]) as client:
                    batch_id = await recorded_and_held(client, tmp_path, link, tool)
                    kill(one)
                async with stub(said(two, "ready")["address"]) as client:
                    assert await finished(client, batch_id) == {"c": "SUCCEEDED"}
                assert ledger(tmp_path) == [("c", "2")]
                await link.release(until=f"{batch_id}/c/1")
    assert ledger(tmp_path) == [("c", "2")], "the late frame started nothing"


@pytest.mark.parametrize("tool", ["read", "write"])
async def test_of_a_killed_owner_at_an_executor_out_of_reach_it_is_a_repeat(tmp_path: Path, tool: str) -> None:
    with executor(tmp_path) as tools, executor(tmp_path, "another") as others:
        async with HalfOpenProxy(tools.ready()["address"]) as link:
            with (
                orchestrator(tmp_path, "one", link.address) as one,
                after(one, other(tmp_path, others.ready()["address"], "")) as two,
            ):
                async with stub(one.ready()["address"]) as client:
                    batch_id = await recorded_and_held(client, tmp_path, link, tool)
                    kill(one)
                async with stub(said(two, "ready")["address"]) as client:
                    assert await finished(client, batch_id) == {"c": "SUCCEEDED"}
                    before = await record(client, batch_id)
                    await link.release(until=f"{batch_id}/c/1")
                    await until_started(tmp_path, ("c", "1"))
                    assert await record(client, batch_id) == before
    assert ledger(tmp_path) == [("c", "2"), ("c", "1")]
    assert len(keys(tmp_path)) == 1


@pytest.mark.parametrize("tool", TOOLS)
async def test_with_the_same_token_on_a_stream_that_is_half_open(tmp_path: Path, tool: str) -> None:
    """The orchestrator is the same, and so is whose the batch is; only its stream is another one."""
    with executor(tmp_path) as tools:
        async with HalfOpenProxy(tools.ready()["address"]) as link:
            with orchestrator(tmp_path, "one", link.address) as one:
                async with stub(one.ready()["address"]) as client:
                    batch_id = await recorded_and_held(client, tmp_path, link, tool)
                    link.part()
                    assert await finished(client, batch_id) == {"c": "SUCCEEDED"}
                    assert ledger(tmp_path) == [("c", "2")]
                    await link.release(until=f"{batch_id}/c/1")
    assert ledger(tmp_path) == [("c", "2")], "the late frame started nothing"


@dataclass
class Still:
    """`one` stands still between the record of its batch's attempt and the frame; `client` is of who goes on.

    Its database keeps still, too: it hears of what became of its lease only later.
    """

    one: Process
    database: HalfOpenProxy
    link: CuttableProxy
    client: Any
    batch_id: str

    async def go_on(self) -> None:
        """Returns when its frame has come, and was answered."""
        self.one.popen.send_signal(signal.SIGCONT)
        await self.link.until_answered(f"{self.batch_id}/c/1")

    async def until_it_ended(self) -> None:
        """By itself: it hears that another one has its batches."""
        self.database.part()
        assert await asyncio.to_thread(self.one.popen.wait, 20) == 1


@asynccontextmanager
async def standing_still(folder: Path, store: str, tool: str, own: str, others: str) -> AsyncGenerator[Still]:
    """`own`: the executor of the one that stands still; `others`: of the one that goes on."""
    open_gates(folder, "c")
    spec = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=[call(tool, "c", folder)]))
    request = pb.SubmitBatchRequest(batch=spec, request_id=str(uuid.uuid4()))
    stops, window = "tests.support.stops_before_frame", {"GREENLIGHT_REATTACH_WINDOW": str(WINDOW)}
    port = urlsplit(store).port
    async with CuttableProxy(own) as link, HalfOpenProxy(f"127.0.0.1:{port}") as database:
        slow = store.replace(f":{port}/", f":{database.address.rpartition(':')[2]}/")
        with (
            orchestrator(folder, "one", link.address, store=slow, lease=LEASE, program=stops) as one,
            orchestrator(folder, "two", others, store=store, lease=LEASE, env=window) as two,
        ):
            for process in (one, two):
                await asyncio.to_thread(process.ready)  # by way of the proxies of this loop
            async with stub(one.ready()["address"]) as client, stub(two.ready()["address"]) as another:
                for each in (client, another):
                    await until_known(each, tool)
                asked = client.SubmitBatch(request)
                await until_stopped(one)
                database.holding = True
                batch_id = (await another.SubmitBatch(request)).batch.batch_id
                assert [attempt.number for attempt in (await proposal(another, batch_id)).attempts] == [1]
                assert f"{batch_id}/c/1".encode() not in link.heard
                yield Still(one, database, link, another, batch_id)
                asked.cancel()


@pytest.mark.postgresql
@pytest.mark.parametrize("tool", TOOLS)
async def test_of_an_owner_that_stopped_there_and_goes_on(tmp_path: Path, database: str, tool: str) -> None:
    with executor(tmp_path) as tools:
        address = tools.ready()["address"]
        async with standing_still(tmp_path, database, tool, address, address) as still:
            assert await finished(still.client, still.batch_id) == {"c": "SUCCEEDED"}
            before = await record(still.client, still.batch_id)
            assert ledger(tmp_path) == [("c", "2")]
            await still.go_on()
            assert b"CALL_FENCED" in still.link.answered
            await still.until_it_ended()
            assert await record(still.client, still.batch_id) == before
    assert ledger(tmp_path) == [("c", "2")], "the late frame started nothing"


@pytest.mark.postgresql
@pytest.mark.parametrize("tool", ["read", "write"])
async def test_of_one_that_goes_on_at_an_executor_out_of_reach_it_is_a_repeat(
    tmp_path: Path, database: str, tool: str
) -> None:
    with executor(tmp_path) as tools, executor(tmp_path, "another") as others:
        own, another = tools.ready()["address"], others.ready()["address"]
        async with standing_still(tmp_path, database, tool, own, another) as still:
            assert await finished(still.client, still.batch_id) == {"c": "SUCCEEDED"}
            before = await record(still.client, still.batch_id)
            await still.go_on()
            await until_started(tmp_path, ("c", "1"))
            await still.until_it_ended()
            assert await record(still.client, still.batch_id) == before
    assert ledger(tmp_path) == [("c", "2"), ("c", "1")]
    assert len(keys(tmp_path)) == 1


@pytest.mark.postgresql
async def test_of_one_that_goes_on_at_an_executor_out_of_reach_it_has_its_one_effect(
    tmp_path: Path, database: str
) -> None:
    """Nobody knows of it, until that executor is heard."""
    reminded = {"GREENLIGHT_EXECUTOR_REMINDER_AFTER": "0.5"}
    with executor(tmp_path, env=reminded) as tools, executor(tmp_path, "another") as others:
        own, another = tools.ready()["address"], others.ready()["address"]
        async with CuttableProxy(own) as way:
            way.refusing = True
            async with standing_still(tmp_path, database, "send", own, f"{way.address},{another}") as still:
                waiting = pb.WaitBatchRequest(batch_id=still.batch_id, until=pb.UNTIL_BLOCKED)
                answer = await still.client.WaitBatch(waiting)
                assert states(answer.summary.answers) == {"c": "OUTCOME_UNKNOWN"}
                await still.go_on()
                await still.until_it_ended()
                assert states((await still.client.WaitBatch(waiting)).summary.answers) == {"c": "OUTCOME_UNKNOWN"}
                way.refusing = False
                assert await finished(still.client, still.batch_id) == {"c": "SUCCEEDED"}
    assert ledger(tmp_path) == [("c", "1")]
