"""Two orchestrators on one PostgreSQL database, in one process, with an executor that both use."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.gates import GATES
from tests.support.neighbours_served import Both, both_served
from tests.support.postgresql import PostgresServer


@pytest.fixture(autouse=True)
def gates() -> Iterator[None]:
    GATES.reset()
    yield
    for gate in ("gate", "other"):
        GATES.open(gate)


@pytest.fixture
async def both(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[Both]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(postgres.database(await postgres.migrated()))
        yield await stack.enter_async_context(both_served(tmp_path, url))
