"""A store does what a small model of it does, whatever orchestrators do to it, in any order."""

import itertools
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from orchestrator_svc.adapters.store.memory_commits import Holdings
from tests.support.postgresql import PostgresServer
from tests.support.store_machine import Make, Stores, World
from tests.support.stores import MemoryOpener, PostgresqlOpener, SqliteOpener


def check(world: World, *, shared: bool, examples: int, steps: int) -> None:
    machine = type("Machine", (Stores,), {"world": staticmethod(world), "shared": shared})
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    few = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=quiet)
    run_state_machine_as_test(machine, settings=few)


def test_memory_of_several() -> None:
    async def world(stack: AsyncExitStack) -> Make:
        held = Holdings()
        return lambda name: MemoryOpener(held, name)

    check(world, shared=True, examples=60, steps=50)


def test_memory_of_one() -> None:
    async def world(stack: AsyncExitStack) -> Make:
        opener = MemoryOpener()
        return lambda name: opener

    check(world, shared=False, examples=30, steps=40)


def test_sqlite(tmp_path: Path, migrated_file: Path) -> None:
    numbers = itertools.count()

    async def world(stack: AsyncExitStack) -> Make:
        opener = SqliteOpener(tmp_path / f"{next(numbers)}.db", migrated_file)
        return lambda name: opener

    check(world, shared=False, examples=10, steps=30)


@pytest.mark.postgresql
def test_postgresql(postgres: PostgresServer) -> None:
    async def world(stack: AsyncExitStack) -> Make:
        url = await stack.enter_async_context(postgres.database(await postgres.migrated()))
        return lambda name: PostgresqlOpener(url, prefix=name)

    check(world, shared=True, examples=6, steps=25)
