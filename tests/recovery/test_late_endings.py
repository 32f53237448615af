"""Two orchestrators as processes on one PostgreSQL database: who is told how a call ended does not have its batch, and
who has it does not reach the executor."""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from executor_svc.domain.journalled import Standing
from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from tests.bench.processes import Process
from tests.support.postgresql import PostgresServer, postgres_server
from tests.support.proxy import CuttableProxy
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
SETTINGS = {"GREENLIGHT_REATTACH_WINDOW": "0.5", "GREENLIGHT_RESOLVE_INTERVAL": "0.1"}
STATES = proposal_pb2.ProposalState
UNKNOWN = STATES.PROPOSAL_STATE_OUTCOME_UNKNOWN


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@dataclass
class Place:
    """`other` has never reached the executor; `one` has sent it `s`, whose outcome is unknown, and reaches it again."""

    folder: Path
    one: Process
    other: Process
    batch_id: str

    async def until(self, client: Any, key: str, state: STATES.ValueType) -> proposal_pb2.Proposal:
        """On record."""
        while True:
            proposal = await proposal_of(client, self.batch_id, key)
            if proposal.state == state:
                return proposal
            await asyncio.sleep(0.01)

    async def until_forgotten(self) -> None:
        """By the executor: it was told that the ending is on record."""
        with closing(sqlite3.connect(self.folder / "executor-data" / "journal.db")) as journal:
            look = "SELECT standing FROM calls WHERE call_id = ?"
            while journal.execute(look, (f"{self.batch_id}/s/1",)).fetchone() != (Standing.FORGOTTEN,):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def proposal_of(client: Any, batch_id: str, key: str) -> proposal_pb2.Proposal:
    return (await client.GetProposal(pb.GetProposalRequest(proposal_id=f"{batch_id}/{key}"))).proposal


async def late_ones(client: Any, batch_id: str) -> list[tuple[str, int]]:
    """Key, attempt of each."""
    answer = await client.ListEvents(pb.ListEventsRequest(batch_id=batch_id, page_size=1000))
    return [(event.key, event.attempt) for event in answer.frame.events if event.HasField("outcome_arrived_late")]


@asynccontextmanager
async def in_place(folder: Path, url: str) -> AsyncGenerator[Place]:
    async with AsyncExitStack() as stack:
        tools = stack.enter_context(executor(folder)).ready()["address"]
        link = await stack.enter_async_context(CuttableProxy(tools))
        nowhere = await stack.enter_async_context(CuttableProxy(""))
        one, other = [
            stack.enter_context(orchestrator(folder, name, address, store=url, grace=30, env=SETTINGS))
            for name, address in (("one", link.address), ("other", nowhere.address))
        ]
        for process in (one, other):
            await asyncio.to_thread(process.ready)  # by way of the proxies of this loop
        async with stub(one.ready()["address"]) as client:
            await until_known(client, "read", "send")
            hard = call("send", "b", folder, tier=tool_pb2.TIER_HARD)
            place = Place(folder, one, other, await submit(client, call("send", "s", folder), hard))
            await until_started(folder, ("s", "1"))
            link.refusing = True
            await link.cut()
            await place.until(client, "s", UNKNOWN)
            link.refusing = False
            await until_known(client, "read", "send")
        yield place


@pytest.fixture
async def place(tmp_path: Path, server: PostgresServer) -> AsyncGenerator[Place]:
    async with server.database() as url, in_place(tmp_path, url) as place:
        yield place


async def test_of_what_a_person_resolved_it_is_shown_and_changes_nothing(place: Place) -> None:
    async with stub(place.one.ready()["address"]) as one, stub(place.other.ready()["address"]) as other:
        said = pb.ResolveProposalRequest(
            proposal_id=f"{place.batch_id}/s", resolution=event_pb2.RESOLUTION_FAILED, reason="looked"
        )
        await one.ResolveProposal(said)
        await approve(other, place.batch_id, "b")
        open_gates(place.folder, "s")
        await place.until_forgotten()
        for client in (one, other):
            assert await late_ones(client, place.batch_id) == [("s", 1)]
            proposal = await proposal_of(client, place.batch_id, "s")
            assert (proposal.state, proposal.attempts[0].may_still_run) == (STATES.PROPOSAL_STATE_FAILED, False)
            assert (await proposal_of(client, place.batch_id, "b")).state == STATES.PROPOSAL_STATE_APPROVED
    assert ledger(place.folder) == [("s", "1")]


async def test_what_is_unknown_is_settled(place: Place) -> None:
    """Who is told is on its way out, and has handed the batch over."""
    async with stub(place.one.ready()["address"]) as one, stub(place.other.ready()["address"]) as other:
        busy = await submit(one, call("read", "r", place.folder))
        await until_started(place.folder, ("r", "1"))
        place.one.popen.send_signal(signal.SIGTERM)
        while "took up 1 batches" not in place.other.err.read_text():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        assert (await proposal_of(other, place.batch_id, "s")).state == UNKNOWN
        open_gates(place.folder, "s")
        await place.until(other, "s", STATES.PROPOSAL_STATE_SUCCEEDED)
        await place.until_forgotten()
        assert await late_ones(other, place.batch_id) == []
        open_gates(place.folder, "r")
        assert await asyncio.to_thread(place.one.popen.wait, 20) == 0
        assert await finished(other, busy) == {"r": "SUCCEEDED"}
    assert ledger(place.folder) == [("s", "1"), ("r", "1")]
