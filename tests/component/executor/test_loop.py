"""A tool that holds the event loop: named while it lasts, failed when it lets go, and nobody else pays."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from greenlight.executor.v1.executor_pb2 import Call
from tests.support.executor import Executor, Peer, call, executor, failure, result
from tests.support.gates import GATES


@pytest.fixture
async def exe() -> AsyncIterator[Executor]:
    async with executor(loop_block_limit=0.25) as running:
        yield running


class Said(logging.Handler):
    """Whether the watchdog spoke while the tool still held the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.while_it_lasted: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if GATES.holding:
            self.while_it_lasted.append(record.getMessage())


@pytest.fixture
def said() -> Iterator[Said]:
    handler = Said()
    log = logging.getLogger("executor_svc.application.watchdog")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


@pytest.mark.parametrize(
    ("then", "failed"),
    [
        ("returns", ("PERMANENT", "DONE", "LOOP_BLOCKED")),
        ("waits", ("PERMANENT", "POSSIBLE", "LOOP_BLOCKED")),
        ("raises", ("PERMANENT", "POSSIBLE", "LOOP_BLOCKED")),
        ("in a task", ("PERMANENT", "POSSIBLE", "LOOP_BLOCKED")),
    ],
)
async def test_it_is_named_while_it_lasts_and_fails_when_it_lets_go(
    peer: Peer, said: Said, then: str, failed: tuple[str, str, str]
):
    outcome = await peer.run("a", "hold_the_loop", {"seconds": 0.6, "then": then})
    assert failure(outcome) == failed
    assert "tool hold_the_loop 1, call" in said.while_it_lasted[0]
    assert "misbehaving.py" in said.while_it_lasted[0]


@pytest.mark.parametrize(("tool", "arguments"), [("brief", {}), ("silent", {"signs": 0})])
async def test_its_time_does_not_count_against_neighbours(peer: Peer, tool: str, arguments: dict[str, int]):
    neighbour = call("neighbour", tool, {"gate": "let go", **arguments})
    holding = call("holding", "hold_the_loop", {"seconds": 0.8, "then": "returns"})
    await peer.send(neighbour, holding)
    assert failure(await peer.outcome(holding.id))[2] == "LOOP_BLOCKED"
    assert result(await peer.outcome(neighbour.id)) == "let go"


async def test_one_that_also_holds_the_interpreters_lock_fails(peer: Peer):
    assert failure(await peer.run("a", "hold_the_lock", {"seconds": 0.6}))[2] == "LOOP_BLOCKED"


async def test_many_short_calls_in_a_row_blame_nobody(peer: Peer, said: Said):
    calls = [call(str(number), "hold_the_loop", {"seconds": 0.01, "then": "returns"}) for number in range(64)]
    await peer.send(*calls)
    for made in calls:
        assert result(await peer.outcome(made.id)) == "returns"
    assert said.while_it_lasted == []


@pytest.mark.parametrize(("way", "said"), [("sleeping", ""), ("computing", "tool keep_the_lock 1, call")])
async def test_a_plain_function_that_holds_the_interpreters_lock_blames_no_neighbour(
    peer: Peer, caplog: pytest.LogCaptureFixture, way: str, said: str
):
    holding = call("holding", "keep_the_lock", {"way": way, "seconds": 1.0})
    await peer.send(holding)
    await GATES.reached("ready")
    assert result(await peer.run("neighbour", "let_the_lock_be_taken")) is None
    assert result(await peer.outcome(holding.id)) is None
    assert said in caplog.text


@pytest.mark.parametrize("way", ["sleeping", "many short sleeps", "waiting for a lock", "computing", "a socket"])
async def test_it_fails_whatever_it_does_meanwhile(peer: Peer, way: str):
    outcome = await peer.run("a", "hold_the_loop_by", {"way": way, "seconds": 0.6})
    assert failure(outcome)[2] == "LOOP_BLOCKED"


def compute() -> None:
    end = time.thread_time() + 0.6
    while time.thread_time() < end:
        pass


@pytest.mark.parametrize("others", [[], [call("other", "wait", {"gate": "gate"})]])
async def test_what_the_loop_waited_for_the_lock_before_does_not_excuse_it(peer: Peer, others: list[Call]):
    await peer.send(*others)
    computing = asyncio.create_task(asyncio.to_thread(compute))
    while not computing.done():  # noqa: ASYNC110 - the loop is to wait for the lock
        await asyncio.sleep(0.001)
    outcome = await peer.run("a", "hold_the_loop_by", {"way": "many short sleeps", "seconds": 0.6})
    assert failure(outcome)[2] == "LOOP_BLOCKED"
