"""Tools that cancel all the tasks that they can find."""

from collections.abc import AsyncIterator

import pytest

from tests.support.executor import HOSTILE, TOOLBOX, Executor, call, executor, failure, result
from tests.support.gates import GATES


@pytest.fixture
async def exe() -> AsyncIterator[Executor]:
    async with executor(TOOLBOX, HOSTILE) as running:
        yield running


@pytest.mark.parametrize("tool", ["cancel_all_tasks", "cancel_all_tasks_and_wait"])
async def test_one_that_cancels_all_tasks_ends_its_own_call(exe: Executor, tool: str):
    peer, other = await exe.connect(), await exe.connect()
    neighbour, child = call("neighbour", "wait", {"gate": "gate"}), call("child", "wait_in_a_task", {"gate": "gate"})
    await other.send(neighbour, child)
    await GATES.reached("gate started")
    outcome = await peer.run("a", tool)
    if tool == "cancel_all_tasks":
        assert result(outcome) == [outcome.call_id, "its own"]
    else:
        assert failure(outcome) == ("TRANSIENT", "POSSIBLE", "TOOL_RAISED")
    GATES.open("gate")
    assert result(await other.outcome(neighbour.id)) == "gate"
    assert result(await other.outcome(child.id)) == "gate"
    assert not peer.is_over
    assert result(await (await exe.connect()).run("b", "echo", {"value": 1})) == 1
    assert not exe.service.decline.failed.is_set()


async def test_a_loop_of_a_tools_own_has_its_tasks(exe: Executor):
    peer = await exe.connect()
    assert result(await peer.run("a", "run_a_loop")) == {"seen": True, "cancelled": True}
