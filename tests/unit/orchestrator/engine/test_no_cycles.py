"""What a batch leaves behind goes when the last one lets go of it: cycles keep it until the collector comes by."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.support.engine_world import ok, spec, started
from tests.support.world import World


@pytest.fixture
def begin() -> Iterator[Callable[[], None]]:
    """From its call on, what only the collector finds goes to `gc.garbage`."""
    gc.disable()

    def begun() -> None:
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)

    try:
        yield begun
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("tool", ["read", "write", "send"])
async def test_a_batch_that_has_run_is_in_none(begin: Callable[[], None], tool: str) -> None:
    world = World()
    async with started(world) as replica:
        begin()
        await world.run(spec(tool, "a"), spec(tool, "b", "a"))
        for _ in range(2):
            replica.end(replica.held[0], ok())
            await world.settle()
        await world.engine.recorder.drain()
        gc.collect()
        kinds = [type(thing) for thing in gc.garbage]
    assert len(replica.received) == 2
    assert not Counter(kind.__name__ for kind in kinds if kind.__module__.startswith("orchestrator_svc"))
