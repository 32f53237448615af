"""The checks after a stop are worth something: with a fence taken away, they do not hold."""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from executor_svc.application import executor
from orchestrator_svc.ports.store import Store
from tests.recovery.scenarios import SCENARIOS, Scenario
from tests.recovery.test_earlier_owner import taken_from, told_at_once
from tests.support.broken_promises import (
    Anybodys,
    Sql,
    UnfencedStore,
    UnguardedStore,
    answer_first,
    dispatch_first,
    found_anyway,
    in_file,
    never_fenced,
    never_found,
    never_journalled,
    publish_first,
)
from tests.support.disks import MemoryDisk, PostgresqlDisk, SqliteDisk, migrated_file
from tests.support.drill import Drill, Play
from tests.support.engine_world import spec
from tests.support.postgresql import PostgresServer
from tests.support.stopping import Fall, Stop, run
from tests.support.two_owners import CHECKS, Pair, two_owners
from tests.support.world import World

COMMIT = "before commit"


async def effect_after_look(drill: Drill) -> None:
    await drill.submit(spec("read", "p"), spec("send", "s", "p"))
    await drill.work()


async def every_stop(scenario: Scenario, spoil: Callable[[World], None], *, journal: bool = True) -> None:
    await _at_every_one(scenario, Stop(seed=1, spoil_world=spoil, journal=journal))


async def _at_every_one(scenario: Scenario, stop: Stop) -> None:
    boundaries = len(await run(scenario, Stop(), MemoryDisk()))
    for at, fall in itertools.product(range(1, boundaries + 1), Fall):
        await run(scenario, replace(stop, fall=fall, at=at), MemoryDisk())


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


async def test_never_seen_without_a_fence() -> None:
    """The frame of one that was stopped comes late, when another has sent the call again."""
    await _at_every_one(Scenario(effect_after_look), Stop(seed=1))
    with pytest.raises(AssertionError, match="had its effect twice"):
        await _at_every_one(Scenario(effect_after_look), Stop(seed=1, spoil_tools=never_fenced))


async def test_a_journal_that_is_not_written() -> None:
    with pytest.raises(AssertionError, match="had its effect twice"):
        await _at_every_one(Scenario(effect_after_look), Stop(seed=1, spoil_tools=never_journalled))


@pytest.mark.parametrize("check", CHECKS)
async def test_an_executor_that_minds_no_epoch(
    monkeypatch: pytest.MonkeyPatch, check: Callable[[Pair], Awaitable[None]]
) -> None:
    async with two_owners() as pair:
        await check(pair)
    monkeypatch.setattr(executor, "Owners", Anybodys)
    async with two_owners() as pair:
        with pytest.raises(AssertionError, match="the earlier one"):
            await check(pair)


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.timeout(120)
async def test_an_executor_process_that_minds_no_epoch(tmp_path: Path, postgres: PostgresServer) -> None:
    """An orchestrator that has lost its batch gets back what it asks for; the one that has it is told of nothing."""
    program = "tests.support.minds_no_epoch"
    async with taken_from(tmp_path, postgres, program=program, timeout=12, margin=0.5) as taken:
        await taken.link.cut()
        taken.go_on()
        await taken.link.until_answered(f"{taken.batch_id}/s/1")
        with pytest.raises(AssertionError, match="it had to ask"):
            await told_at_once(taken, tmp_path)


async def test_a_probe_that_does_not_look() -> None:
    for spoil, problem in ((found_anyway, "was found, and had no effect"), (never_found, "had its effect twice")):
        with pytest.raises(AssertionError, match=problem):
            await run(SCENARIOS["looked_for"], Stop(spoil_tools=spoil), MemoryDisk())


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("mixed", "SubmitBatch", "BATCH_UNKNOWN"),
        ("mixed", "DecideProposals", "a decision on .* is lost"),
        ("cancelled", "CancelBatch", "the cancel of .* is lost"),
        ("growing", "AddProposals", "proposals of .* are lost"),
        ("by_hand", "RetryProposals", "retries or resolutions are lost"),
        ("by_hand", "ResolveProposal", "retries or resolutions are lost"),
        ("turn", "SoftConfirm", "a decision on .* is lost"),
    ],
)
async def test_an_answer_before_the_commit(name: str, kind: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        await every_stop(SCENARIOS[name], partial(answer_first, kind=kind))


async def test_a_store_without_its_guard(tmp_path: Path) -> None:
    """The writes of one that was stopped come late: another has gone on with its batches."""
    migrated = migrated_file(tmp_path / "migrated.db")
    scenario = SCENARIOS["growing"]

    async def every_write() -> None:
        boundaries = await run(scenario, Stop(), SqliteDisk(tmp_path / "0.db", migrated))
        for number in range(1, boundaries.count(COMMIT) + 1):
            path = tmp_path / f"{number}.db"
            disk = SqliteDisk(path, migrated)
            spoil = partial(UnguardedStore, sql=in_file(path))
            await run(
                scenario, Stop(at=number, of=COMMIT, spoil_store=lambda store, spoil=spoil: spoil(store).port), disk
            )

    with pytest.raises(AssertionError, match="still wrote"):
        await every_write()


async def runs(drill: Drill) -> None:
    await drill.submit(spec("read", "p"), spec("send", "s"))
    await drill.work()


async def rests(drill: Drill) -> None:
    """A batch that is nobody's until it is decided: its guard knows nothing of who has ended."""
    batch_id = await drill.submit(spec("pay", "y"))
    await drill.settle()
    await drill.decide(batch_id, "y")
    await drill.work()


async def paused(
    server: PostgresServer, play: Play, commit: int, spoilt: Callable[[Store, Sql], Store] = lambda store, sql: store
) -> None:
    """Of two orchestrators one ends the other, which was paused before its n-th commit, and then writes on."""
    async with server.database(await server.migrated()) as url:
        sql = partial(server.query, url.rpartition("/")[2])
        stop = Stop(at=commit, of=COMMIT, spoil_store=lambda store: spoilt(store, sql))
        await run(Scenario(play), stop, PostgresqlDisk(url))


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.parametrize(("play", "commit"), [(runs, 1), (rests, 2)], ids=["a_new_batch", "a_decision"])
async def test_an_orchestrator_without_its_fence(postgres: PostgresServer, play: Play, commit: int) -> None:
    """What it writes by its own connection, after it was ended, is acknowledged, and nobody goes on with it."""
    await paused(postgres, play, commit)
    with pytest.raises(AssertionError, match="neither finish nor wait"):
        await paused(postgres, play, commit, lambda store, sql: UnfencedStore(store, sql).port)


@pytest.mark.slow
@pytest.mark.postgresql
async def test_an_orchestrator_without_the_guard(postgres: PostgresServer) -> None:
    """What it writes to a batch that another one has by now, behind no fence."""
    await paused(postgres, runs, 2)
    with pytest.raises(AssertionError, match="still wrote"):
        await paused(postgres, runs, 2, lambda store, sql: UnguardedStore(store, sql).port)
