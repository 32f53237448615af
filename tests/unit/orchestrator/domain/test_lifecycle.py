"""The table of moves, as the product's document words it."""

import itertools

import pytest

from orchestrator_svc.domain.lifecycle import MOVES, IllegalMoveError, check_move
from orchestrator_svc.domain.proposal import ProposalState as State
from orchestrator_svc.domain.tool import Tier
from tests.support.batches import Builder, judged

LEGAL = {
    "PROPOSED": "APPROVED REJECTED EXPIRED SKIPPED CANCELLED FAILED",
    "APPROVED": "RUNNING FAILED SKIPPED CANCELLED PROPOSED",
    "RUNNING": "SUCCEEDED FAILED CANCELLED OUTCOME_UNKNOWN APPROVED",
    "OUTCOME_UNKNOWN": "SUCCEEDED FAILED APPROVED",
    "FAILED": "SUCCEEDED APPROVED PROPOSED",
    "CANCELLED": "APPROVED PROPOSED",
    "EXPIRED": "PROPOSED",
    "SKIPPED": "PROPOSED APPROVED",
    "SUCCEEDED": "",
    "REJECTED": "",
}


def test_it_has_exactly_these_moves() -> None:
    assert {state.name: {to.name for to in moves} for state, moves in MOVES.items()} == {
        name: {*moves.split()} for name, moves in LEGAL.items()
    }


@pytest.mark.parametrize(("was", "to"), list(itertools.product(State, State)))
def test_any_other_is_refused(was: State, to: State) -> None:
    if to in MOVES[was]:
        check_move("a", was, to)
    else:
        with pytest.raises(IllegalMoveError):
            check_move("a", was, to)


def test_an_illegal_move_changes_nothing() -> None:
    builder = Builder()
    builder.submit([judged("a", tier=Tier.HARD)])
    batch, proposal = builder.batch, builder.batch.by_key["a"]
    before = (list(batch.counts), batch.asked, proposal.record())
    with pytest.raises(IllegalMoveError):
        builder.dispatch("a")
    assert (list(batch.counts), batch.asked) == before[:2]
    assert proposal.state is State.PROPOSED


def test_what_cannot_be_left_but_by_a_person() -> None:
    assert not MOVES[State.SUCCEEDED]
    assert not MOVES[State.REJECTED]
    assert State.RUNNING not in {to for was, moves in MOVES.items() if was is not State.APPROVED for to in moves}
