"""docs/state-machine.md shows the moves that the code has, and all batch states."""

import re

from orchestrator_svc.domain.lifecycle import MOVES
from orchestrator_svc.domain.proposal import ProposalState
from orchestrator_svc.domain.states import BatchState
from tests.unit.house.documents import ROOT, rows

DOCUMENT = (ROOT / "docs" / "state-machine.md").read_text(encoding="utf-8")


def test_the_table_of_moves_is_the_one_of_the_code():
    found = re.search(r"<!-- moves -->\n(.*?)<!-- end of moves -->", DOCUMENT, re.DOTALL)
    assert found
    written = [tuple(row) for row in rows(found[1])]
    assert written == [(a.name, b.name, why) for a, moves in MOVES.items() for b, why in moves.items()]


def test_the_code_has_a_row_for_every_state():
    assert set(MOVES) == set(ProposalState)


def test_every_state_of_a_batch_is_explained():
    table = rows(DOCUMENT.partition("\n## A batch\n")[2])
    assert {row[0] for row in table} == {state.name for state in BatchState}
