"""Where a stream over a session's batches stands."""

from orchestrator_svc.application.tokens import SessionCursor
from orchestrator_svc.domain.states import BatchState
from orchestrator_svc.ports.store import BatchHead


def head(sequence: int, state: BatchState, reopened_after: int = 0) -> BatchHead:
    return BatchHead(7, sequence, state, "s", 1, reopened_after, 1)


def test_a_batch_that_is_finished_and_seen_leaves_it() -> None:
    cursor = SessionCursor("mark")
    ended = head(32, BatchState.SUCCEEDED)
    cursor.advance(ended, 30)
    assert (cursor.open, cursor.after(ended)) == ({1: 30}, 30)
    cursor.advance(ended, 32)
    assert (cursor.open, cursor.highest) == ({}, 1)


def test_one_that_goes_on_afterwards_is_seen_from_there() -> None:
    cursor = SessionCursor("mark")
    cursor.advance(head(32, BatchState.SUCCEEDED), 32)
    again = head(40, BatchState.RUNNING, reopened_after=32)
    assert cursor.after(again) == 32
    cursor.advance(again, 40)
    assert cursor.open == {1: 40}


def test_one_that_went_on_between_its_head_and_its_events_is_not_seen_twice() -> None:
    cursor = SessionCursor("mark")
    cursor.advance(head(32, BatchState.SUCCEEDED), 35)
    assert cursor.after(head(40, BatchState.RUNNING, reopened_after=32)) == 35
