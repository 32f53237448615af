"""The world is stopped before and after every write and every message of a set of scenarios, and goes on.

The small form stops at every boundary on the memory store, and at a few that are drawn on SQLite and PostgreSQL;
RECOVERY=long at every boundary on each, and a second time while it recovers (`make test-boundaries`). SEED chooses what
is drawn.
"""

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from orchestrator_svc.ports.store import Store
from tests.recovery.scenarios import OVERTAKEN, SCENARIOS
from tests.recovery.wandering import wandering
from tests.support.crashing_link import MESSAGES
from tests.support.crashing_store import METHODS, READS, WRITES
from tests.support.disks import MemoryDisk, PostgresqlDisk, SqliteDisk, migrated_file
from tests.support.jittery_store import JitteryStore
from tests.support.postgresql import PostgresServer
from tests.support.stopping import Fall, Stop, run
from tests.support.stores import WholeStore

LONG = os.environ.get("RECOVERY") == "long"
SEED = int(os.environ.get("SEED", "1"))
MOST, FEW = 80, 4
"""Of a scenario with more boundaries than `MOST` a few are drawn; on SQLite and PostgreSQL of each."""
OF_SEVERAL = {"renew", "supersede", "end", "send", "refuse", "withdraw", "forget_commands"}
"""Writes of orchestrators that share a store."""
AFTER_A_WHILE = {"commit_record_times"}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return migrated_file(tmp_path_factory.mktemp("migrated") / "store.db")


def stops(boundaries: Sequence[int], again: bool) -> Iterator[Stop]:
    """At each of them, each kind of fall; `again`: and once more, with a second stop while it recovers."""
    draw = random.Random(SEED)
    for at in boundaries:
        for fall in Fall:
            yield Stop(fall, at, draw.choice((0, 0, 0, 0, 0, draw.randint(1, 30))), SEED)
            if again:
                yield Stop(fall, at, draw.randint(1, 40), SEED)


def drawn(boundaries: int) -> Iterator[Stop]:
    """A few, each with another kind of fall."""
    draw, falls = random.Random(SEED), list(Fall)
    for at in sorted(draw.sample(range(1, boundaries + 1), FEW)):
        yield Stop(falls[(at + SEED) % len(falls)], at, draw.choice((0, draw.randint(1, 30))), SEED)


async def test_each_message_and_each_write_comes_in_a_scenario() -> None:
    passed: set[str] = set()
    for scenario in SCENARIOS.values():
        passed |= {boundary.split()[1] for boundary in await run(scenario, Stop(seed=SEED), MemoryDisk())}
    assert {kind.__name__ for kind in MESSAGES} <= passed
    assert READS <= METHODS
    assert WRITES - passed - AFTER_A_WHILE == OF_SEVERAL


@pytest.mark.timeout(3600 if LONG else 60)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_in_memory(name: str) -> None:
    scenario = SCENARIOS[name]
    boundaries = await run(scenario, Stop(seed=SEED), MemoryDisk())
    assert len(boundaries) >= 30
    every = range(1, len(boundaries) + 1)
    chosen = every if LONG or len(every) <= MOST else random.Random(SEED).sample(every, FEW)
    for stop in stops(chosen, again=LONG):
        await run(scenario, stop, MemoryDisk())


@pytest.mark.slow
@pytest.mark.timeout(3600 if LONG else 60)
async def test_scenarios_that_are_drawn() -> None:
    """The small form stops each a few times."""
    for seed in range(SEED * 1000, SEED * 1000 + (200 if LONG else 5)):
        scenario = wandering(seed)
        every = range(1, len(await run(scenario, Stop(seed=seed), MemoryDisk())) + 1)
        chosen = every if LONG else sorted(random.Random(seed).sample(every, FEW))
        for stop in stops(chosen, again=LONG):
            await run(scenario, stop, MemoryDisk())


@pytest.mark.slow
@pytest.mark.timeout(3600 if LONG else 60)
async def test_cancels_that_overtake_a_record() -> None:
    """The small form stops each a few times."""
    for seed in range(SEED * 1000, SEED * 1000 + (50 if LONG else 3)):
        slow = partial(slowly, seed=seed)
        every = range(1, len(await run(OVERTAKEN, Stop(seed=seed, spoil_store=slow), MemoryDisk())) + 1)
        chosen = every if LONG else sorted(random.Random(seed).sample(every, FEW))
        for stop in stops(chosen, again=LONG):
            await run(OVERTAKEN, replace(stop, spoil_store=slow), MemoryDisk())


def slowly(store: Store, seed: int) -> Store:
    return JitteryStore(cast(WholeStore, store), seed).port


@pytest.mark.slow
@pytest.mark.timeout(7200 if LONG else 60)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_in_a_file(name: str, migrated: bytes, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]

    def disk() -> SqliteDisk:
        for path in tmp_path.iterdir():
            path.unlink()
        return SqliteDisk(tmp_path / "store.db", migrated)

    boundaries = len(await run(scenario, Stop(seed=SEED), disk()))
    for stop in stops(range(1, boundaries + 1), again=True) if LONG else drawn(boundaries):
        await run(scenario, stop, disk())


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.timeout(7200 if LONG else 180)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_on_postgresql(name: str, postgres: PostgresServer) -> None:
    """Another orchestrator ends the one that was stopped, which then writes on."""
    scenario = SCENARIOS[name]

    async def run_on(stop: Stop) -> int:
        async with postgres.database(await postgres.migrated()) as url:
            return len(await run(scenario, stop, PostgresqlDisk(url)))

    boundaries = await run_on(Stop(seed=SEED))
    for stop in stops(range(1, boundaries + 1), again=True) if LONG else drawn(boundaries):
        await run_on(stop)
