"""The judge of `make chaos`: which unknown outcomes it lets pass."""

from collections import Counter
from pathlib import Path

import pytest

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from greenlight.tool.v1 import tool_pb2
from tests.chaos.faults import Hit
from tests.chaos.journals import Journal, Word
from tests.chaos.ledger import Ledger
from tests.chaos.unknowns import Evidence, longest_reached, wrong_unknowns

SECOND = 1_000_000_000
UNKNOWN_AT = 100 * SECOND
CALL = "b/k/1"


def judged(tmp_path: Path, reason: str, word: Word, *hits: Hit, began: int = 0, lines: str = "") -> list[str]:
    path = tmp_path / "ledger"
    path.write_text(lines)
    ledger = Ledger(path)
    ledger.began = Counter({CALL: began})
    attempt = proposal_pb2.Attempt(number=1, executor_id="e")
    proposal = proposal_pb2.Proposal(proposal_id="b/k", key="k", attempts=[attempt])
    failure = tool_pb2.Failure(reason=reason)
    event = event_pb2.Event(batch_id="b", key="k", attempt=1, outcome_unknown=event_pb2.OutcomeUnknown(failure=failure))
    event.time.FromNanoseconds(UNKNOWN_AT)
    journals = {"e": Journal("executor-1", {} if word is Word.NEVER_SEEN else {CALL: word})}
    return list(wrong_unknowns([proposal], [event], Evidence(ledger, hits, journals)))


def away(who: str, start: float, end: float) -> Hit:
    return Hit("kill", who, who, int(start * SECOND), int(end * SECOND))


@pytest.mark.parametrize("word", Word)
def test_an_executor_that_ended_is_excused_only_where_its_journal_was_cut_off(tmp_path: Path, word: Word) -> None:
    wrong = judged(tmp_path, "EXECUTOR_ENDED", word)
    assert (wrong == []) is (word is Word.CUT_OFF)


@pytest.mark.parametrize("word", Word)
def test_a_cancel_is_excused_only_where_the_tool_had_begun(tmp_path: Path, word: Word) -> None:
    assert (judged(tmp_path, "CANCELLED", word, began=1) == []) is (word is Word.STOPPED)
    assert judged(tmp_path, "CANCELLED", word, began=0)


def test_a_lost_executor_is_excused_while_it_could_not_be_reached(tmp_path: Path) -> None:
    lost = "EXECUTOR_LOST"
    assert judged(tmp_path, lost, Word.CUT_OFF, away("executor-1", 95, 101)) == []
    assert judged(tmp_path, lost, Word.CUT_OFF, away("executor-1", 95, 98), away("active", 99, 101)) == []
    assert judged(tmp_path, lost, Word.CUT_OFF, away("executor-1", 95, 97))
    assert judged(tmp_path, lost, Word.CUT_OFF, away("executor-2", 95, 101))
    assert judged(tmp_path, lost, Word.CUT_OFF, away("standby", 95, 101))
    assert judged(tmp_path, lost, Word.CUT_OFF, away("active", 90, 96), away("standby", 95, 101)) == []


def test_nothing_excuses_a_journal_that_cannot_say(tmp_path: Path) -> None:
    assert judged(tmp_path, "EXECUTOR_CANNOT_SAY", Word.CUT_OFF, away("executor-1", 95, 101))


def test_a_call_that_held_the_loop_is_excused_only_where_it_says_so(tmp_path: Path) -> None:
    assert judged(tmp_path, "LOOP_BLOCKED", Word.STOPPED, lines="effect b/k 1 key 7\nheld b/k 1 key 8\n") == []
    assert judged(tmp_path, "LOOP_BLOCKED", Word.STOPPED, lines="effect b/k 1 key 7\nheld b/other 1 key 8\n")


def test_the_longest_stretch_is_between_faults() -> None:
    hits = [away("executor-1", 3, 5), away("active", 4, 6), away("executor-1", 9, 20)]
    assert longest_reached("executor-1", 0, 10 * SECOND, hits) == 3
    assert longest_reached("executor-1", 4 * SECOND, 10 * SECOND, hits) == 3
    assert longest_reached("executor-1", 4 * SECOND, 6 * SECOND, hits) == 0
