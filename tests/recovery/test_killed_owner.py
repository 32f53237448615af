"""The owner of batches is killed while commands for them are on their way from another orchestrator, as processes.

Each command has one effect and one answer, whenever it was: written down and not read yet, carried out and not answered
yet, or in the middle of either. A client that is told to ask again does so, with the same request id.
"""

import asyncio
import signal
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from greenlight.orchestrator.v1 import batch_pb2, proposal_pb2
from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from tests.support.postgresql import PostgresServer, postgres_server
from tests.support.starts import (
    call,
    executor,
    ledger,
    open_gates,
    orchestrator,
    stub,
    until_known,
    until_started,
)

pytestmark = [pytest.mark.slow, pytest.mark.postgresql, pytest.mark.timeout(180)]
LEASE, GROUPS, ADDED = 2.0, 3, 2
KEYS = ("rejected", "approved", "dropped", "retried")
Command = tuple[str, Any]
"""An RPC and its request."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


class Place:
    """A database of its own; `owner` gets what is submitted, `other` the commands."""

    def __init__(self, folder: Path, server: PostgresServer, url: str, stack: ExitStack) -> None:
        self.folder, self._server, self._database = folder, server, url.rpartition("/")[2]
        tools = stack.enter_context(executor(folder)).ready()["address"]
        self.owner, self.other = [
            stack.enter_context(orchestrator(folder, name, tools, store=url, lease=LEASE))
            for name in ("owner", "other")
        ]

    async def count(self, table: str) -> int:
        (row,) = await self._server.query(self._database, f"SELECT count(*) AS count FROM {table}")
        return row["count"]

    async def until(self, table: str, count: int) -> None:
        """Until there are so many rows."""
        while await self.count(table) < count:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.001)


@pytest.fixture
async def place(tmp_path: Path, server: PostgresServer) -> AsyncGenerator[Place]:
    async with server.database() as url:
        with ExitStack() as stack:
            yield Place(tmp_path, server, url, stack)


class Group:
    """Batches of the owner, in each a call that runs; of each kind of command there is one, or some."""

    def __init__(self, name: str, owner: Any, folder: Path) -> None:
        self._name, self._owner, self._folder = name, owner, folder
        self.work = self.closed = self.cancelled = self.resumed = ""

    def key(self, name: str) -> str:
        return f"{self._name}-{name}"

    async def begin(self) -> None:
        self.work, self.closed, self.cancelled, self.resumed = [
            await self._submit(self.key(name)) for name in ("work", "closed", "cancelled", "resumed")
        ]
        ended = [f"{self.work}/{self.key('work-retried')}"]
        ended += [f"{self.resumed}/{self.key('resumed')}-{name}" for name in KEYS]
        answer = await self._owner.CancelProposals(pb.CancelProposalsRequest(proposal_ids=ended))
        assert not any(one.status.code for one in answer.answers)

    async def _submit(self, prefix: str) -> str:
        hard = [call("send", f"{prefix}-{name}", self._folder, tier=tool_pb2.TIER_HARD) for name in KEYS]
        calls = [call("read", f"{prefix}-runs", self._folder), *hard]
        spec = batch_pb2.BatchSpec(proposals=batch_pb2.ProposalList(items=calls), open=True)
        batch_id = (await self._owner.SubmitBatch(pb.SubmitBatchRequest(batch=spec))).batch.batch_id
        await until_started(self._folder, (f"{prefix}-runs", "1"))
        return batch_id

    async def commands(self) -> list[Command]:
        ids = {name: f"{self.work}/{self.key('work')}-{name}" for name in KEYS}
        wanted = (await self._owner.GetProposal(pb.GetProposalRequest(proposal_id=ids["approved"]))).proposal
        approve = pb.Decision(proposal_id=ids["approved"], verdict=proposal_pb2.VERDICT_APPROVE, digest=wanted.digest)
        reject = pb.Decision(proposal_id=ids["rejected"], verdict=proposal_pb2.VERDICT_REJECT)
        more = call("send", "", self._folder, tier=tool_pb2.TIER_HARD)
        return [
            *[("AddProposals", pb.AddProposalsRequest(batch_id=self.work, proposals=[more])) for _ in range(ADDED)],
            ("DecideProposals", pb.DecideProposalsRequest(decisions=[approve])),
            ("DecideProposals", pb.DecideProposalsRequest(decisions=[reject], atomic=True)),
            ("CancelProposals", pb.CancelProposalsRequest(proposal_ids=[ids["dropped"]])),
            ("RetryProposals", pb.RetryProposalsRequest(proposal_ids=[ids["retried"]])),
            ("CloseBatch", pb.CloseBatchRequest(batch_id=self.closed)),
            ("CancelBatch", pb.CancelBatchRequest(batch_id=self.cancelled)),
            ("ResumeBatch", pb.ResumeBatchRequest(batch_id=self.resumed)),
        ]

    async def check(self, client: Any) -> None:
        """What all commands did is in the events once."""
        found = await _events(client, self.work)
        work = self.key("work")
        assert found["", "proposal_added"] == 1 + len(KEYS) + ADDED
        for name, event in (("approved", "proposal_decided"), ("rejected", "proposal_decided")):
            assert found[f"{work}-{name}", event] == 1
        for name, event in (("dropped", "proposal_cancelled"), ("retried", "proposal_retried")):
            assert found[f"{work}-{name}", event] == 1
        assert (await _events(client, self.closed))["", "batch_closed"] == 1
        assert (await _events(client, self.cancelled))["", "batch_cancel_requested"] == 1
        assert (await _events(client, self.resumed))["", "proposal_retried"] == len(KEYS)
        open_gates(self._folder, f"{work}-approved")
        assert (await _ended(client, f"{self.work}/{work}-approved")) == "SUCCEEDED"
        assert [key for key, _ in ledger(self._folder)].count(f"{work}-approved") == 1


async def _ended(client: Any, proposal_id: str) -> str:
    """Its state then. The first attempt may have been recorded and never sent: another one is."""
    while True:
        proposal = (await client.GetProposal(pb.GetProposalRequest(proposal_id=proposal_id))).proposal
        if proposal.HasField("finish_time"):
            return proposal_pb2.ProposalState.Name(proposal.state).removeprefix("PROPOSAL_STATE_")
        await asyncio.sleep(0.01)


async def _events(client: Any, batch_id: str) -> Counter[tuple[str, str]]:
    """How many of a kind there are, by proposal; '' of all."""
    answer = await client.ListEvents(pb.ListEventsRequest(batch_id=batch_id, page_size=1000))
    assert not answer.more
    found: Counter[tuple[str, str]] = Counter()
    for event in answer.frame.events:
        for key in {"", event.key}:
            found[key, event.WhichOneof("detail")] += 1
    return found


async def ask(client: Any, command: Command) -> Any:
    """Until it is answered. Nothing that was done is said not to be possible."""
    name, request = command
    while True:
        try:
            answer = await getattr(client, name)(request)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(0.05)
        else:
            assert not any(one.status.code for one in getattr(answer, "answers", ())), answer
            return answer


@pytest.mark.parametrize("recorded", [0, 1, 5, 12, 20])
async def test_each_command_has_one_effect_and_one_answer(place: Place, recorded: int) -> None:
    """`recorded`: how many were carried out when it was killed, or a few more; 0: it has read none."""
    async with stub(place.owner.ready()["address"]) as owner, stub(place.other.ready()["address"]) as client:
        for each in (owner, client):
            await until_known(each, "read", "send")
        groups = [Group(str(number), owner, place.folder) for number in range(GROUPS)]
        for group in groups:
            await group.begin()
        commands = [command for group in groups for command in await group.commands()]
        for _, request in commands:
            request.request_id = str(uuid.uuid4())
        answers = await _killed_meanwhile(place, client, commands, recorded)
        for command, answer in zip(commands, answers, strict=True):
            assert _said(await ask(client, command)) == _said(answer), command
        for group in groups:
            await group.check(client)


async def _killed_meanwhile(place: Place, client: Any, commands: list[Command], recorded: int) -> list[Any]:
    before = await place.count("commands")
    async with asyncio.TaskGroup() as tasks:
        if not recorded:
            place.owner.popen.send_signal(signal.SIGSTOP)
        asked = [tasks.create_task(ask(client, command)) for command in commands]
        await (place.until("commands", before + recorded) if recorded else place.until("inbox", len(commands)))
        place.owner.popen.kill()
    return [task.result() for task in asked]


def _said(answer: Any) -> Any:
    """All but how the batch stands meanwhile."""
    return [(field.name, value) for field, value in answer.ListFields() if field.name != "batch"]
