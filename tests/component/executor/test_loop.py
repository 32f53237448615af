"""A tool that holds the event loop: named while it lasts, failed when it lets go, and nobody else pays."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.executor import Executor, Peer, call, executor, failure, result
from tests.support.gates import GATES


@pytest.fixture
async def exe() -> AsyncIterator[Executor]:
    async with executor(loop_block_limit=0.1) as running:
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
    outcome = await peer.run("a", "hold_the_loop", {"seconds": 0.4, "then": then})
    assert failure(outcome) == failed
    assert "tool hold_the_loop 1, call" in said.while_it_lasted[0]
    assert "toolbox.py" in said.while_it_lasted[0]


async def test_neighbours_do_not_time_out_for_it(peer: Peer):
    brief = call("brief", "brief", {"gate": "gate"})
    await peer.send(brief, call("a", "hold_the_loop", {"seconds": 0.8, "then": "returns"}))
    assert failure(await peer.outcome(brief.id.replace("brief", "a")))[2] == "LOOP_BLOCKED"
    GATES.open("gate")
    assert result(await peer.outcome(brief.id)) == "gate"


async def test_neighbours_do_not_stall_for_it(peer: Peer):
    silent = call("silent", "silent", {"gate": "gate", "signs": 0})
    await peer.send(silent, call("a", "hold_the_loop", {"seconds": 0.4, "then": "returns"}))
    assert failure(await peer.outcome(silent.id.replace("silent", "a")))[2] == "LOOP_BLOCKED"
    GATES.open("gate")
    assert result(await peer.outcome(silent.id)) == "gate"


async def test_one_that_also_holds_the_interpreters_lock_fails(peer: Peer):
    assert failure(await peer.run("a", "hold_the_lock", {"digits": 1_500_000}))[2] == "LOOP_BLOCKED"


async def test_many_short_calls_in_a_row_blame_nobody(peer: Peer):
    calls = [call(str(number), "hold_the_loop", {"seconds": 0.01, "then": "returns"}) for number in range(64)]
    await peer.send(*calls)
    for made in calls:
        assert result(await peer.outcome(made.id)) == "returns"
