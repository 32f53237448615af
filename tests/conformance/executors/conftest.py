from collections.abc import AsyncIterator

import pytest

from tests.conformance.executors.worlds import World, open_world
from tests.support.watching import Watcher


@pytest.fixture(params=["memory", "grpc"])
async def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async for world in open_world(request.param, monkeypatch):
        yield world


@pytest.fixture
def watcher(world: World) -> Watcher:
    return Watcher(world.executors)
