from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.executor import Executor, Peer, executor
from tests.support.gates import GATES


@pytest.fixture(autouse=True)
def gates() -> Iterator[None]:
    GATES.reset()
    yield
    for gate in ("never", "gate", "later"):
        GATES.open(gate)


@pytest.fixture
async def exe() -> AsyncIterator[Executor]:
    async with executor() as running:
        yield running


@pytest.fixture
async def peer(exe: Executor) -> Peer:
    return await exe.connect()
