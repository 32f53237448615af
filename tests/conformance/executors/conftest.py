from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.executors.worlds import World, open_world
from tests.support.watching import Watcher


@pytest.fixture(params=["memory", "grpc"])
async def world(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[World]:
    async for world in open_world(request.param, monkeypatch, tmp_path):
        yield world


@pytest.fixture
def watcher(world: World) -> Watcher:
    return Watcher(world.executors)
