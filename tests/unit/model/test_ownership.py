"""Every interleaving of two orchestrators: the rules of ownership keep the promises, and each of them is needed."""

import pytest

from tests.unit.model.exploring import Explored, explore
from tests.unit.model.ownership import Rules, World
from tests.unit.model.owning import broken, steps

TWICE = "an effect twice"
ORPHAN = "a batch of one that has ended"


def explored(rules: Rules, faults: int = 0, until: str = "") -> Explored[World]:
    start = World(faults=faults)
    return explore(start, lambda world: steps(rules, world), lambda world: broken(rules, world), until)


@pytest.mark.parametrize(("faults", "states"), [(0, 30_000), pytest.param(1, 140_000, marks=pytest.mark.slow)])
def test_the_rules_keep_every_promise(faults: int, states: int) -> None:
    found = explored(Rules(), faults)
    assert found.broken == {}
    assert found.states > states


@pytest.mark.parametrize(
    ("mutation", "promise"),
    [
        (Rules(fence=False), ORPHAN),
        (Rules(guard_epoch=False), "two recorders in one epoch"),
        (Rules(take_raises_epoch=False), "two recorders in one epoch"),
        (Rules(supersede_looks_at_counter=False), "one that lives is ended"),
        (Rules(superseded_batches_are_freed=False), ORPHAN),
        (Rules(superseded_batches_are_freed=False), "stuck"),
        (Rules(record_first=False), TWICE),
        (Rules(answer_after_commit=False), "an answered approval lost"),
        (Rules(never_seen_fences=False), TWICE),
    ],
)
def test_each_rule_is_needed(mutation: Rules, promise: str) -> None:
    found = explored(mutation, until=promise)
    assert promise in found.broken


def test_a_frame_that_comes_late_is_what_the_fenced_attach_is_for() -> None:
    """An owner that stood still between its record and the frame: its frame comes when another has gone on."""
    trace = explored(Rules(never_seen_fences=False), until=TWICE).broken[TWICE]
    assert any("takes what is due" in step for step in trace)
    assert sum("the effect of" in step for step in trace) == 2
