from collections.abc import AsyncIterator

import pytest

from orchestrator_svc.adapters.executor.grpc import GrpcExecutors
from shared.kernel.clock import SystemClock
from tests.support.scripted_executor import ScriptedExecutor
from tests.support.watching import Watcher


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedExecutor]:
    async with ScriptedExecutor() as executor:
        yield executor


@pytest.fixture
async def executors(scripted: ScriptedExecutor) -> AsyncIterator[GrpcExecutors]:
    executors = GrpcExecutors(
        [scripted.address], incarnation_id="incarnation-1", version="0.1", clock=SystemClock(), resolve_interval=0.05
    )
    await executors.start()
    yield executors
    await executors.close()


@pytest.fixture
def watcher(executors: GrpcExecutors) -> Watcher:
    return Watcher(executors)
