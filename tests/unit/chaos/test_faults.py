"""The faults of `make chaos`: each is had, those that are to outlast something do, and a run without one is red."""

import random
from pathlib import Path

import pytest

from tests.chaos.__main__ import wrong
from tests.chaos.faults import ABSENCE, LONG_STOP, PAUSES, Faults
from tests.chaos.fleet import EXECUTORS, LEASE, ORCHESTRATORS, WINDOW, Fleet
from tests.unit.chaos.made_up import MadeUpRun, all_faults, hit

EVERY = sorted(
    {(kind, who) for kind in ("kill", "stop", "cut", LONG_STOP) for who in ("active", "standby", *EXECUTORS)}
    | {(ABSENCE, who) for who in EXECUTORS}
)


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    return Faults(Fleet(tmp_path, tmp_path / "ledger", None), random.Random(1))


def test_these_are_to_be_tried(faults: Faults) -> None:
    assert sorted(faults.every) == sorted(faults.missing) == EVERY


@pytest.mark.parametrize(("kind", "who"), EVERY)
async def test_what_was_never_tried_is_named(tmp_path: Path, kind: str, who: str) -> None:
    run = MadeUpRun(tmp_path)
    run.faults.hits = [each for each in run.faults.hits if (kind, who) not in each.tried]
    figures = await run.judged()
    assert f"('{kind}', '{who}')" in figures.about[0]
    assert wrong(figures)


def test_a_stop_is_a_long_one_only_if_it_outlasted_the_lease() -> None:
    for who in (*ORCHESTRATORS, "active", "standby", *EXECUTORS, "postgresql"):
        assert (LONG_STOP, who) not in hit("stop", who, LEASE).tried
        assert (LONG_STOP, who) in hit("stop", who, LEASE + 0.5).tried
        assert (LONG_STOP, who) not in hit("cut", who, LEASE + 0.5).tried


def test_an_executor_was_away_for_long_only_if_that_outlasted_its_window() -> None:
    for kind in ("kill", "cut"):
        assert (ABSENCE, "executor-1") not in hit(kind, "executor-1", WINDOW).tried
        assert (ABSENCE, "executor-1") in hit(kind, "executor-1", WINDOW + 1).tried
        assert (ABSENCE, "active") not in hit(kind, "active", WINDOW + 1).tried
    assert (ABSENCE, "executor-1") not in hit("stop", "executor-1", WINDOW + 1).tried


def test_what_is_to_last_does() -> None:
    assert PAUSES[LONG_STOP][0] > LEASE
    assert PAUSES[ABSENCE][0] > WINDOW


def test_the_first_round_has_them_all(faults: Faults) -> None:
    assert {*faults.round()} == faults.every


def test_a_later_one_has_all_short_ones_and_one_that_lasts(faults: Faults) -> None:
    faults.hits = all_faults(faults)
    found = faults.round()
    assert {*found} > {each for each in EVERY if each[0] in ("kill", "stop", "cut")}
    assert sum(kind in (LONG_STOP, ABSENCE) for kind, _ in found) == 1


def test_at_the_end_only_what_is_missing_is_tried(faults: Faults) -> None:
    faults.hits = [each for each in all_faults(faults) if each.who != "standby"]
    faults.enough = True
    assert {*faults.round()} == {each for each in EVERY if each[1] == "standby"}
