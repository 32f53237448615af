from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.gates import GATES
from tests.support.services import Services, services


@pytest.fixture(autouse=True)
def gates() -> Iterator[None]:
    GATES.reset()
    yield
    for gate in ("gate", "other", "never"):
        GATES.open(gate)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Services]:
    """Both services, with the tools of the desk."""
    async with services(tmp_path) as running:
        yield running
