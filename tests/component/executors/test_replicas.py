"""Replicas behind one name: they come and go, and calls go to the less loaded."""

from collections.abc import AsyncIterator

import pytest

from orchestrator_svc.adapters.executor.grpc import GrpcExecutors
from orchestrator_svc.ports.executor import Lost
from shared.kernel.clock import SystemClock
from tests.support.calls import ECHO, make_calls
from tests.support.names import Name
from tests.support.scripted_executor import ScriptedExecutor
from tests.support.watching import Watcher


@pytest.fixture
async def name(monkeypatch: pytest.MonkeyPatch) -> Name:
    return Name.install(monkeypatch)


@pytest.fixture
async def executors(name: Name) -> AsyncIterator[GrpcExecutors]:
    executors = GrpcExecutors(
        ["executors:1"], incarnation_id="i", version="0", clock=SystemClock(), resolve_interval=0.01
    )
    await executors.start()
    yield executors
    await executors.close()


async def test_one_that_comes_gets_calls_and_one_that_goes_gets_none(name: Name, executors: GrpcExecutors):
    watcher = Watcher(executors)
    async with ScriptedExecutor() as one, ScriptedExecutor() as two:
        name.addresses = [one.address]
        first = await one.next()
        await first.greet(executor_id="one")
        target_one = await watcher.connected()
        name.addresses = [one.address, two.address]
        second = await two.next()
        await second.greet(executor_id="two")
        target_two = await watcher.connected()
        assert [view.executor_id for view in executors.views()] == ["one", "two"]

        name.addresses = [two.address]
        await second.succeed("nothing")  # gone from the name: its stream is kept until it ends
        executors.send(target_one, make_calls(1))
        await first.calls(1)
        first.end()
        assert (await watcher.next(Lost)).target == target_one
        assert executors.choose(ECHO) == (target_two, 8)
        assert [view.connected for view in executors.views()] == [False, True]


async def test_the_less_loaded_of_two(name: Name, executors: GrpcExecutors):
    watcher = Watcher(executors)
    async with ScriptedExecutor() as one, ScriptedExecutor() as two:
        name.addresses = [one.address, two.address]
        await (await one.next()).greet(executor_id="one", slots=10)
        await (await two.next()).greet(executor_id="two", slots=10)
        targets = [await watcher.connected(), await watcher.connected()]
        sent = dict.fromkeys(targets, 0)
        for number in range(20):
            choice = executors.choose(ECHO)
            assert choice is not None
            target, free = choice
            assert free == 10 - sent[target]
            executors.send(target, make_calls(1, first=number))
            sent[target] += 1
            assert abs(sent[targets[0]] - sent[targets[1]]) <= 1
        assert executors.choose(ECHO) is None
        assert executors.serves(ECHO)
