"""The checks after a stop are worth something: with a fence taken away, they do not hold."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recovery.scenarios import SCENARIOS, Scenario
from tests.support.broken_promises import UnguardedStore, answer_first, dispatch_first, publish_first
from tests.support.disks import MemoryDisk, SqliteDisk, migrated_file
from tests.support.drill import Drill
from tests.support.engine_world import spec
from tests.support.stopping import Fall, Stop, run
from tests.support.world import World


async def effect_after_look(drill: Drill) -> None:
    await drill.submit(spec("read", "p"), spec("send", "s", "p"))
    await drill.work()


async def every_stop(scenario: Scenario, spoil: Callable[[World], None], *, journal: bool = True) -> None:
    boundaries = len(await run(scenario, Stop(), MemoryDisk()))
    for at, fall in itertools.product(range(1, boundaries + 1), Fall):
        await run(scenario, Stop(fall, at, seed=1, spoil_world=spoil, journal=journal), MemoryDisk())


async def test_with_every_fence_in_its_place_they_hold() -> None:
    await every_stop(SCENARIOS["cancelled"], lambda world: None)


async def test_events_published_before_the_commit() -> None:
    with pytest.raises(AssertionError, match="a watcher"):
        await every_stop(SCENARIOS["mixed"], publish_first)


async def test_a_call_dispatched_before_its_record() -> None:
    """Where the executor's journal is lost: else that knows the call, and runs it once."""
    await every_stop(Scenario(effect_after_look), lambda world: None, journal=False)
    with pytest.raises(AssertionError, match="had its effect twice"):
        await every_stop(Scenario(effect_after_look), dispatch_first, journal=False)


@pytest.mark.parametrize("name", ["mixed", "cancelled"])
async def test_an_answer_before_the_commit(name: str) -> None:
    with pytest.raises(AssertionError, match="lost"):
        await every_stop(SCENARIOS[name], answer_first)


async def test_a_store_without_its_guard(tmp_path: Path) -> None:
    """The writes of one that was stopped come late: another has gone on with its batches."""
    migrated = migrated_file(tmp_path / "migrated.db")
    scenario = SCENARIOS["growing"]

    async def every_write() -> None:
        boundaries = await run(scenario, Stop(), SqliteDisk(tmp_path / "0.db", migrated))
        for at in [at for at, boundary in enumerate(boundaries, 1) if boundary == "before commit"]:
            path = tmp_path / f"{at}.db"
            disk = SqliteDisk(path, migrated)
            stop = Stop(Fall.ORCHESTRATOR, at, spoil_store=lambda store, path=path: UnguardedStore(store, path).port)
            await run(scenario, stop, disk)

    with pytest.raises(AssertionError, match="still wrote"):
        await every_write()
