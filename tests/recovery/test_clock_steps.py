"""The clock of one machine is set an hour forward and an hour back while a service runs, or was wrong when it began."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from greenlight.orchestrator.v1 import orchestrator_pb2 as pb
from greenlight.tool.v1 import tool_pb2
from tests.bench.processes import Process
from tests.support.postgresql import PostgresServer, postgres_server
from tests.support.starts import (
    approve,
    call,
    executor,
    finished,
    open_gates,
    orchestrator,
    stub,
    submit,
    until_known,
    until_started,
)
from tests.support.stepped_clock import SteppedClock

pytestmark = [pytest.mark.slow, pytest.mark.faketime, pytest.mark.timeout(120)]
HOUR = 3600
DUE, LEASE = 4, 5.0
EARLY, LATE = 1.0, 40.0
"""What is due in `DUE` seconds may come that much before, and after: an hour is far from either."""
NEAR = 60
SOON = 10
"""Later than another one takes over, which is after a lease."""
HARD = tool_pb2.TIER_HARD


@dataclass(frozen=True)
class Wait:
    """A batch that ends by itself once what it waits for is due."""

    batch_id: str
    begun: float
    ends: str

    async def over(self, client: Any) -> None:
        async with asyncio.timeout(LATE):
            states = await finished(client, self.batch_id)
        assert set(states.values()) == {self.ends}
        assert time.monotonic() - self.begun > DUE - EARLY, f"{self.ends} too early"


class Waits:
    """One each of: a deadline of a batch, one of an approval, a backoff."""

    def __init__(self, client: Any, folder: Path) -> None:
        self._client, self._folder, self._made = client, folder, list[Wait]()
        self._began = time.time()

    async def begin(self, prefix: str) -> None:
        folder, due = self._folder, Duration(seconds=DUE)
        late, asked, busy = f"{prefix}late", f"{prefix}asked", f"{prefix}busy"
        await self._submit("CANCELLED", call("read", late, folder), deadline=due)
        await self._submit("EXPIRED", call("send", asked, folder, tier=tool_pb2.TIER_HARD, approval_deadline=due))
        await self._submit("SUCCEEDED", call("busy", busy, folder, more={"pause": DUE}))
        await until_started(folder, (late, "1"), (busy, "1"))

    async def _submit(self, ends: str, *calls: Any, **fields: Any) -> None:
        begun = time.monotonic()
        self._made.append(Wait(await submit(self._client, *calls, **fields), begun, ends))

    async def over(self) -> None:
        """Each when it was due; and what is on record of them has the right times."""
        await asyncio.gather(*[wait.over(self._client) for wait in self._made])
        for wait in self._made:
            answer = await self._client.ListEvents(pb.ListEventsRequest(batch_id=wait.batch_id))
            times = [event.time.ToNanoseconds() / 1e9 for event in answer.frame.events]
            assert times == sorted(times)
            assert self._began - NEAR < times[0]
            assert times[-1] < time.time() + NEAR
            assert made(wait.batch_id) == pytest.approx(times[0], abs=NEAR)
        self._made.clear()


def made(batch_id: str) -> float:
    """As the id has it: those of all orchestrators are in the order of time."""
    return (uuid.UUID(batch_id).int >> 80) / 1000


async def steps(client: Any, folder: Path, clock: SteppedClock) -> None:
    """What began before a step, and what began after it, is over when it is due."""
    await until_known(client, "read", "send", "busy")
    waits = Waits(client, folder)
    for number, seconds in enumerate((HOUR, -HOUR)):
        await waits.begin(f"before{number}")
        clock.set(seconds)
        await waits.begin(f"after{number}")
        await waits.over()


def was_ahead(process: Process, seconds: int) -> bool:
    """By its log: whether its clock was ahead by that at some time, shortly before now."""
    said = [line.partition(",")[0] for line in process.err.read_text().splitlines()]
    ahead = [time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S")) - time.time() for text in said]
    return any(abs(each - seconds) < NEAR for each in ahead)


@pytest.fixture
def clock(tmp_path: Path) -> SteppedClock:
    return SteppedClock(tmp_path / "clock")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
async def address(server: PostgresServer) -> AsyncGenerator[str]:
    async with server.database() as address:
        yield address


async def live(server: PostgresServer, address: str) -> int:
    """How many starts there were; none of them was ended by another."""
    rows = await server.query(address.rpartition("/")[2], "SELECT superseded FROM incarnations")
    assert not any(row["superseded"] for row in rows)
    return len(rows)


async def test_of_one_of_two_orchestrators(
    tmp_path: Path, clock: SteppedClock, server: PostgresServer, address: str
) -> None:
    with ExitStack() as stack:
        executors = stack.enter_context(executor(tmp_path)).ready()["address"]
        one, other = [
            stack.enter_context(orchestrator(tmp_path, name, executors, store=address, lease=LEASE, env=env))
            for name, env in (("one", clock.env), ("other", {}))
        ]
        other.ready()
        async with stub(one.ready()["address"]) as client:
            await steps(client, tmp_path, clock)
        assert await live(server, address) == 2
    assert was_ahead(one, -HOUR)
    assert was_ahead(other, 0)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_of_one_that_waits_for_the_lease_of_another(
    tmp_path: Path, clock: SteppedClock, address: str, seconds: int
) -> None:
    """What the other had goes on here all the same."""
    with executor(tmp_path) as tools, ExitStack() as stack:
        one, other = [
            stack.enter_context(
                orchestrator(tmp_path, name, tools.ready()["address"], store=address, lease=LEASE, env=env)
            )
            for name, env in (("one", clock.env), ("other", {}))
        ]
        async with stub(other.ready()["address"]) as client:
            await until_known(client, "read")
            batch_id = await submit(client, call("read", "a", tmp_path))
            await until_started(tmp_path, ("a", "1"))
        async with stub(one.ready()["address"]) as client:
            other.popen.kill()
            await asyncio.sleep(LEASE / 2)  # it has seen the other's counter stand still, for too short a time yet
            clock.set(seconds)
            open_gates(tmp_path, "a")
            async with asyncio.timeout(LATE):
                assert await finished(client, batch_id) == {"a": "SUCCEEDED"}


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_wrong_from_the_first_on_a_database_whose_is_right(
    tmp_path: Path, clock: SteppedClock, address: str, seconds: int
) -> None:
    clock.set(seconds)
    with executor(tmp_path) as tools:
        executors = tools.ready()["address"]
        with orchestrator(tmp_path, "one", executors, store=address, lease=LEASE, env=clock.env) as one:
            async with stub(one.ready()["address"]) as client:
                await until_known(client, "read", "send", "busy")
                waits = Waits(client, tmp_path)
                await waits.begin("wrong")
                await waits.over()
    assert was_ahead(one, seconds)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_of_one_that_takes_over_what_has_deadlines(
    tmp_path: Path, clock: SteppedClock, address: str, seconds: int
) -> None:
    """Another one set them, whose clock was right: what is due ends then, what has half an hour left goes on."""
    clock.set(seconds)
    soon, later = Duration(seconds=SOON), Duration(seconds=HOUR // 2)
    with executor(tmp_path) as tools, ExitStack() as stack:
        one, other = [
            stack.enter_context(
                orchestrator(tmp_path, name, tools.ready()["address"], store=address, lease=LEASE, env=env)
            )
            for name, env in (("one", {}), ("other", clock.env))
        ]
        other.ready()
        async with stub(one.ready()["address"]) as client:
            await until_known(client, "read", "send")
            late = await submit(client, call("read", "late", tmp_path), deadline=soon)
            asked = await submit(client, call("send", "asked", tmp_path, tier=HARD, approval_deadline=soon))
            calls = (call("read", "on", tmp_path), call("send", "hard", tmp_path, tier=HARD, approval_deadline=later))
            going = await submit(client, *calls, deadline=later)
            await until_started(tmp_path, ("late", "1"), ("on", "1"))
            one.popen.kill()
        async with stub(other.ready()["address"]) as client, asyncio.timeout(2 * LATE):
            batch = (await client.GetBatch(pb.GetBatchRequest(batch_id=late))).batch
            assert not batch.HasField("finish_time")
            expires = (await proposal(client, asked, "asked")).expire_time.ToNanoseconds()
            await until_started(tmp_path, ("on", "2"))
            await approve(client, going, "hard")
            open_gates(tmp_path, "on", "hard")
            assert await finished(client, going) == {"on": "SUCCEEDED", "hard": "SUCCEEDED"}
            assert await finished(client, late) == {"late": "CANCELLED"}
            assert await finished(client, asked) == {"asked": "EXPIRED"}
            for batch_id, planned in ((late, batch.deadline_time.ToNanoseconds()), (asked, expires)):
                assert planned <= await ended(client, batch_id) < planned + NEAR * 10**9
    assert was_ahead(other, seconds)


async def test_of_the_only_orchestrator_of_a_file(tmp_path: Path, clock: SteppedClock) -> None:
    with executor(tmp_path) as tools, orchestrator(tmp_path, "one", tools.ready()["address"], env=clock.env) as one:
        async with stub(one.ready()["address"]) as client:
            await steps(client, tmp_path, clock)
    assert was_ahead(one, -HOUR)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_of_an_executor(tmp_path: Path, clock: SteppedClock, seconds: int) -> None:
    """Its call times out when it should. That it began is said by its clock, what it took is measured."""
    with executor(tmp_path, env=clock.env) as tools, orchestrator(tmp_path, "one", tools.ready()["address"]) as one:
        async with stub(one.ready()["address"]) as client:
            await until_known(client, "read")
            due, once = Duration(seconds=DUE), tool_pb2.RetryPolicy(max_attempts=1)
            begun = time.monotonic()
            batch_id = await submit(client, call("read", "a", tmp_path, timeout=due, retry_policy=once))
            await until_started(tmp_path, ("a", "1"))
            clock.set(seconds)
            await Wait(batch_id, begun, "FAILED").over(client)
            took = await attempt(client, batch_id, "a")
            assert DUE - EARLY < took.timing.tool.ToNanoseconds() / 1e9 < LATE
            assert took.failure.reason == "TOOL_TIMEOUT"
    assert was_ahead(tools, seconds)


async def attempt(client: Any, batch_id: str, key: str) -> Any:
    return (await proposal(client, batch_id, key)).attempts[-1]


async def proposal(client: Any, batch_id: str, key: str) -> Any:
    answer = await client.GetProposal(pb.GetProposalRequest(proposal_id=f"{batch_id}/{key}"))
    return answer.proposal


async def ended(client: Any, batch_id: str) -> int:
    """When its last event was, by the database's clock, in ns."""
    answer = await client.ListEvents(pb.ListEventsRequest(batch_id=batch_id))
    return answer.frame.events[-1].time.ToNanoseconds()
