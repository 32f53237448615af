"""What the arguments of a batch take in all: counted as they come and go, and bounded."""

import json

import pytest

from orchestrator_svc.adapters.store.hydration import attach
from orchestrator_svc.domain.proposal import Proposal
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import Tier
from tests.support.batches import Builder, judged

RESULT = json.dumps("x" * 1_000)


def counted(builder: Builder) -> int:
    return sum(proposal.argument_bytes for proposal in builder.batch.proposals)


def fan(builder: Builder, count: int) -> list[Proposal]:
    """So many that refer to one result, which is there."""
    items = [judged(f"e{n}", tier=Tier.HARD, arguments='{"v":{"$from":"k"}}') for n in range(count)]
    builder.submit([judged("k"), *items])
    builder.dispatch("k")
    builder.succeed("k", result=RESULT)
    return builder.batch.proposals[1:]


def test_what_is_bound_beyond_it_fails_and_says_so():
    builder = Builder()
    builder.batch.max_arguments = 5_000
    bound = fan(builder, 10)
    assert [proposal.state for proposal in bound] == [State.PROPOSED] * 4 + [State.FAILED] * 6
    failure = bound[-1].failure
    assert failure is not None
    assert failure.reason == "ARGUMENTS_TOO_LARGE"
    assert "the batch's arguments have more than 5,000 bytes in all" in failure.message
    assert builder.batch.argument_bytes == counted(builder) <= 5_000


def test_it_is_counted_whatever_happens():
    builder = Builder()
    fan(builder, 3)
    assert builder.batch.argument_bytes == counted(builder) > 3_000
    builder.approve("e0", edited='{"v":"é"}')
    builder.approve("e1")
    assert builder.batch.argument_bytes == counted(builder)
    builder.dispatch("e1")
    builder.fail("e1")
    builder.retry("e1")
    assert builder.batch.argument_bytes == counted(builder)


def test_it_is_counted_again_when_a_batch_is_loaded():
    builder, loaded = Builder(), Builder()
    fan(builder, 3)
    attach(loaded.batch, builder.batch.proposals)
    assert loaded.batch.argument_bytes == builder.batch.argument_bytes > 3_000


@pytest.mark.parametrize("size", [100, 10_000])
def test_what_is_bound_counts_as_waiting_to_be_written(size: int):
    builder = Builder()
    builder.submit([judged("k"), judged("e", arguments='{"v":{"$from":"k"}}')])
    builder.dispatch("k")
    assert builder.succeed("k", result=json.dumps("x" * size)).bytes > 2 * size
