"""A PostgreSQL that is there, and lets a running orchestrator not write, or not in: read-only, or full of others."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from tests.recovery.test_postgresql_processes import until_health
from tests.support.postgresql import PostgresServer, postgres_server
from tests.support.refusals import answered, refusal
from tests.support.starts import (
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
REQUEST, DECISION = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(2))
OURS = "application_name LIKE 'greenlight%'"
END = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}"
READ_ONLY = "default_transaction_read_only"

Trouble = Callable[[PostgresServer, str], AbstractAsyncContextManager[None]]
"""With a database of the server, by its name. It lasts as long as the context."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server("max_connections=40") as server:
        yield server


@asynccontextmanager
async def read_only(server: PostgresServer, database: str) -> AsyncGenerator[None]:
    """Every session, at once."""
    await server.query("postgres", f"ALTER SYSTEM SET {READ_ONLY} = on")
    await reload(server, "on")
    try:
        yield
    finally:
        await server.query("postgres", f"ALTER SYSTEM RESET {READ_ONLY}")
        await reload(server, "off")


async def reload(server: PostgresServer, wanted: str) -> None:
    """Until it is so."""
    await server.query("postgres", "SELECT pg_reload_conf()")
    while await server.query("postgres", f"SHOW {READ_ONLY}") != [(wanted,)]:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)


@asynccontextmanager
async def read_only_sessions(server: PostgresServer, database: str) -> AsyncGenerator[None]:
    """Those that begin meanwhile, for as long as they last: as behind the name of a server that failed over."""
    await server.query("postgres", f'ALTER DATABASE "{database}" SET {READ_ONLY} = on')
    await server.query("postgres", END)
    yield
    await server.query("postgres", f'ALTER DATABASE "{database}" RESET {READ_ONLY}')


@asynccontextmanager
async def full_of_others(server: PostgresServer, database: str) -> AsyncGenerator[None]:
    """Others have all of the connections that it takes, those that the orchestrator had among them."""
    async with AsyncExitStack() as taken:
        first = await take(server, taken)
        while True:
            await first.fetch(END)
            with contextlib.suppress(asyncpg.TooManyConnectionsError):
                while True:
                    await take(server, taken)
            if not await first.fetch(f"SELECT 1 FROM pg_stat_activity WHERE {OURS}"):
                break
        yield


async def take(server: PostgresServer, taken: AsyncExitStack) -> Any:
    """One of the server's connections, until `taken` is closed."""
    connection: Any = await asyncpg.connect(server.url().replace("+asyncpg", ""))
    taken.push_async_callback(connection.close)
    return connection


async def until_said(client: Any, says: str) -> None:
    while True:
        problems = (await client.GetServerInfo(pb.GetServerInfoRequest())).problems
        if any("STORE_UNAVAILABLE" in problem and says in problem for problem in problems):
            return
        await asyncio.sleep(0.01)


async def check_refused(request: Any, says: str) -> None:
    refused = await refusal(request)
    assert refused.short == ("UNAVAILABLE", "STORE_UNAVAILABLE")
    assert refused.retry_after is not None
    assert says in refused.message


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (read_only, "in a read-only transaction"),
        (read_only_sessions, "in a read-only transaction"),
        (full_of_others, "too many clients"),
    ],
)
async def test_callers_are_told_and_nothing_is_lost(
    tmp_path: Path, server: PostgresServer, trouble: Trouble, says: str
) -> None:
    settings = {"GREENLIGHT_STORE_PATIENCE": "0.3"}
    async with server.database() as store:
        with (
            executor(tmp_path) as tools,
            orchestrator(tmp_path, "one", tools.ready()["address"], store=store, lease=2, env=settings) as one,
        ):
            address = one.ready()["address"]
            async with stub(address) as client:
                await through(client, address, tmp_path, trouble(server, store.rpartition("/")[2]), says)
    assert sorted(ledger(tmp_path)) == [("hard", "1"), ("r", "1"), ("s", "1"), ("second", "1")]


async def through(
    client: Any, address: str, folder: Path, trouble: AbstractAsyncContextManager[None], says: str
) -> None:
    await until_known(client, "read", "send")
    calls = (
        call("read", "r", folder),
        call("send", "s", folder, "r"),
        call("send", "hard", folder, tier=tool_pb2.TIER_HARD),
    )
    first = await submit(client, *calls)
    await until_started(folder, ("r", "1"))
    asked = (await client.GetProposal(pb.GetProposalRequest(proposal_id=f"{first}/hard"))).proposal
    decision = pb.Decision(proposal_id=asked.proposal_id, verdict=proposal_pb2.VERDICT_APPROVE, digest=asked.digest)
    second = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=[call("send", "second", folder)]))
    decide = pb.DecideProposalsRequest(decisions=[decision], request_id=DECISION)
    submission = pb.SubmitBatchRequest(batch=second, request_id=REQUEST)

    async with trouble:
        await until_health(address, serving=False)
        await check_refused(client.SubmitBatch(submission), says)
        await check_refused(client.DecideProposals(decide), says)
        open_gates(folder, "r")
        await until_said(client, says)
        await check_refused(client.SubmitBatch(submission), says)

    open_gates(folder, "s", "hard", "second")
    second_id = (await answered(lambda: client.SubmitBatch(submission))).batch.batch_id
    await answered(lambda: client.DecideProposals(decide))
    assert await finished(client, first) == dict.fromkeys(("r", "s", "hard"), "SUCCEEDED")
    assert await finished(client, second_id) == {"second": "SUCCEEDED"}
    await until_health(address, serving=True)
    assert (await client.GetServerInfo(pb.GetServerInfoRequest())).problems == []
    batches = (await client.ListBatches(pb.ListBatchesRequest())).batches
    assert {batch.batch_id for batch in batches} == {first, second_id}, "the request that was repeated made one"
