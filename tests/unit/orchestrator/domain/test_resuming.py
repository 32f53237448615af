"""Resuming: parents before children, whatever the order they were proposed in; and what stays, says why."""

from orchestrator_svc.domain import cancelling
from orchestrator_svc.domain.proposal import Dependency
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.resuming import resume
from orchestrator_svc.domain.tool import KnownEffect, Tier
from tests.support.batches import GRACE, Builder, broken, judged


def _resumed(builder: Builder) -> dict[str, str]:
    """Key -> why not, or the empty text."""
    changes = builder.begin()
    found = resume(builder.batch, changes, "user:bob", "again")
    builder.batch.conclude(changes)
    return {proposal.key: error.message if error is not None else "" for proposal, error in found}


def _states(builder: Builder) -> dict[str, State]:
    return {proposal.key: proposal.state for proposal in builder.batch.proposals}


def test_children_come_after_their_parents():
    """All three were cancelled: none was skipped for another, and each is retried once."""
    builder = Builder()
    items = [
        judged("last", depends_on=[Dependency("then")]),
        judged("then", depends_on=[Dependency("first")]),
        judged("first"),
    ]
    builder.submit(items)
    changes = builder.begin()
    cancelling.cancel_batch(builder.batch, changes, "user:bob", "", GRACE)
    builder.batch.conclude(changes)
    assert set(_states(builder).values()) == {State.CANCELLED}
    assert _resumed(builder) == {"last": "", "then": "", "first": ""}
    assert set(_states(builder).values()) == {State.APPROVED}
    assert [proposal.revision for proposal in builder.batch.proposals] == [2, 2, 2]


def test_what_would_be_skipped_at_once_stays():
    builder = Builder()
    builder.submit(
        [judged("asked", tier=Tier.SOFT), judged("other"), judged("needs", depends_on=[Dependency("asked")])]
    )
    changes = builder.begin()
    for key in ("needs", "other"):
        cancelling.cancel_proposal(builder.batch, changes, builder.batch.by_key[key], "user:bob", "", GRACE)
    builder.batch.conclude(changes)
    builder.reject("asked")
    assert _states(builder)["needs"] is State.CANCELLED
    found = _resumed(builder)
    assert found["other"] == ""
    assert found["asked"].endswith("is REJECTED; it is never tried again")
    assert "stays CANCELLED: it depends on" in found["needs"]
    assert _states(builder) == {"asked": State.REJECTED, "other": State.APPROVED, "needs": State.CANCELLED}


def test_what_was_skipped_comes_back_and_counts():
    builder = Builder()
    builder.submit([judged("a"), judged("b", depends_on=[Dependency("a")]), judged("c")])
    builder.dispatch("a", "c")
    builder.fail("a")
    builder.fail("c", failure=broken(known_effect=KnownEffect.DONE))
    found = _resumed(builder)
    assert (found["a"], found["b"]) == ("", "")
    assert "resolve it instead" in found["c"]
    assert _states(builder) == {"a": State.APPROVED, "b": State.APPROVED, "c": State.FAILED}
    assert len(builder.batch.by_key["a"].attempts) == 1


def test_nothing_to_resume_changes_nothing():
    builder = Builder()
    builder.submit([judged("a")])
    builder.dispatch("a")
    builder.succeed("a")
    head = builder.batch.head
    assert _resumed(builder) == {}
    assert builder.batch.head == head
