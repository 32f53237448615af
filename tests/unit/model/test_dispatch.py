"""Every interleaving of a small model: the rules as they are keep the promises, and each of them is needed."""

import pytest

from tests.unit.model.dispatch import Rules, World, broken, steps
from tests.unit.model.exploring import Explored, explore


def explored(rules: Rules, faults: int = 3) -> Explored[World]:
    return explore(World(faults=faults), lambda world: steps(rules, world), lambda world: broken(rules, world))


@pytest.mark.parametrize("journal", [False, True])
def test_the_rules_keep_every_promise(journal: bool) -> None:
    found = explored(Rules(journal=journal))
    assert found.broken == {}
    assert found.states > 5_000


@pytest.mark.parametrize(
    ("mutation", "promise"),
    [
        (Rules(record_first=False), "an effect twice"),
        (Rules(answer_after_commit=False), "an answered approval lost"),
        (Rules(publish_after_commit=False), "an event that is not on record"),
        (Rules(reattach=False), "an effect twice"),
        (Rules(named_boot_only=False), "an effect twice"),
        (Rules(never_seen_fences=False), "an effect twice"),
        (Rules(acknowledge_after_commit=False), "an effect twice"),
        (Rules(keep_until_acknowledged=False), "an effect twice"),
        (Rules(journal=True, journal_before_start=False), "an effect twice"),
    ],
)
def test_each_rule_is_needed(mutation: Rules, promise: str) -> None:
    found = explored(mutation)
    assert promise in found.broken
