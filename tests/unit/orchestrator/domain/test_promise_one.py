"""Nothing runs unapproved: an approval is of what was seen, and void where something else would run."""

import pytest

from orchestrator_svc.domain import adding, firing
from orchestrator_svc.domain.proposal import Condition, Dependency
from orchestrator_svc.domain.settling import is_ready
from orchestrator_svc.domain.tool import Tier
from tests.support.batches import Builder, judged
from tests.support.invariants import check_all

ARGUMENTS = '{"x":{"$from":"a","default":0}}'


def builder_of(tier: Tier) -> Builder:
    """`a` has failed; `b` is bound to the default that stands for it, and approved."""
    builder = Builder()
    edge = Dependency("a", Condition.FINISHED)
    builder.submit([judged("a"), judged("b", tier=tier, arguments=ARGUMENTS, depends_on=[edge])])
    builder.dispatch("a")
    builder.fail("a")
    builder.approve("b")
    assert builder.batch.by_key["b"].bound_arguments == '{"x":0}'
    assert is_ready(builder.batch.by_key["b"])
    return builder


def bring_back(builder: Builder, result: str) -> None:
    """`a` is tried again, and gives something."""
    builder.retry("a")
    assert not is_ready(builder.batch.by_key["b"]), "it waits again"
    check_all(builder.batch)
    builder.dispatch("a")
    builder.succeed("a", result=result)
    check_all(builder.batch)


@pytest.mark.parametrize("tier", [Tier.SOFT, Tier.HARD])
def test_an_approval_of_other_arguments_is_void(tier: Tier) -> None:
    builder = builder_of(tier)
    bring_back(builder, "5")
    proposal = builder.batch.by_key["b"]
    assert (proposal.state.name, proposal.bound_arguments) == ("PROPOSED", '{"x":5}')
    assert builder.batch.asked == 1
    builder.approve("b")
    assert is_ready(proposal)


@pytest.mark.parametrize("tier", [Tier.SOFT, Tier.HARD])
def test_one_of_the_same_arguments_stands(tier: Tier) -> None:
    builder = builder_of(tier)
    bring_back(builder, "0")
    assert is_ready(builder.batch.by_key["b"])


def test_what_is_retried_runs_on_an_approval_of_exactly_this_digest() -> None:
    builder = builder_of(Tier.HARD)
    builder.dispatch("b")
    builder.fail("b")
    builder.retry("b")
    assert is_ready(builder.batch.by_key["b"])
    builder.dispatch("b")
    builder.fail("b")
    builder.retry("a")
    builder.retry("b")
    builder.dispatch("a")
    builder.succeed("a", result="5")
    assert builder.batch.by_key["b"].state.name == "PROPOSED"
    check_all(builder.batch)


def test_an_edit_stands_whatever_comes_from_above() -> None:
    builder = Builder()
    edge = Dependency("a", Condition.FINISHED)
    builder.submit([judged("a"), judged("b", tier=Tier.HARD, arguments=ARGUMENTS, depends_on=[edge])])
    builder.dispatch("a")
    builder.fail("a")
    builder.approve("b", edited='{"x":7}')
    bring_back(builder, "5")
    proposal = builder.batch.by_key["b"]
    assert is_ready(proposal)
    assert proposal.bound_arguments == '{"x":7}'


def test_a_batch_with_nothing_to_do_can_be_ended() -> None:
    builder = Builder()
    builder.batch.open = True
    changes = builder.begin()
    adding.submitted(builder.batch, changes, 0)
    builder.batch.conclude(changes)
    assert builder.batch.state.name == "IDLE"
    changes = builder.begin()
    firing.abandon(builder.batch, changes, "a fault")
    builder.batch.conclude(changes)
    assert builder.batch.state.finished
    assert [type(event.detail).__name__ for event in changes.events] == ["BatchClosed", "BatchFinished"]
