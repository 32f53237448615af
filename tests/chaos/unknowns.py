"""Whether an outcome was rightly unknown: by the word of the journal, and by when its executor could be reached."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from greenlight.orchestrator.v1 import event_pb2, proposal_pb2
from tests.chaos.faults import Hit
from tests.chaos.fleet import CANCEL_GRACE, EXECUTORS, WINDOW
from tests.chaos.journals import Journal, Word
from tests.chaos.ledger import Ledger

BACK = 1.5
"""Seconds in which an executor that can be reached says what became of its calls, on a machine that is busy."""
_SECOND = 1_000_000_000
_UNREACHED = {"EXECUTOR_LOST": WINDOW, "CANCEL_UNANSWERED": CANCEL_GRACE}


class Evidence(NamedTuple):
    """`journals` by executor id."""

    ledger: Ledger
    hits: Sequence[Hit]
    journals: Mapping[str, Journal]


def wrong_unknowns(
    proposals: Sequence[proposal_pb2.Proposal], events: Sequence[event_pb2.Event], evidence: Evidence
) -> Iterator[str]:
    """Of one batch; why each is wrong."""
    attempts = {(each.key, attempt.number): attempt for each in proposals for attempt in each.attempts}
    for event in events:
        if event.WhichOneof("detail") == "outcome_unknown":
            call_id = f"{event.batch_id}/{event.key}/{event.attempt}"
            executor_id = attempts[event.key, event.attempt].executor_id
            problem = _problem(event, call_id, executor_id, evidence)
            if problem:
                yield f"{call_id}: {event.outcome_unknown.failure.reason}, {problem}"


def _problem(event: event_pb2.Event, call_id: str, executor_id: str, evidence: Evidence) -> str:
    journal = evidence.journals.get(executor_id)
    if journal is None:
        return "and it names no executor that there was"
    reason, word = event.outcome_unknown.failure.reason, journal.word(call_id)
    if reason in _UNREACHED:
        until = event.time.ToNanoseconds()
        reached = longest_reached(journal.service, until - int(_UNREACHED[reason] * _SECOND), until, evidence.hits)
        return f"though its executor was there for {reached:.1f} s" if reached > BACK else ""
    if reason == "EXECUTOR_ENDED":
        return "" if word is Word.CUT_OFF else f"its journal says: {word.value}"
    if reason == "CANCELLED":
        half_way = evidence.ledger.began[call_id] and call_id not in evidence.ledger.ended
        return "" if word is Word.STOPPED and half_way else f"its journal says: {word.value}"
    if reason == "LOOP_BLOCKED" and call_id in evidence.ledger.held:
        return ""
    return f"nothing excuses that; its journal says: {word.value}"


def longest_reached(executor: str, since: int, until: int, hits: Sequence[Hit]) -> float:
    """Seconds at a stretch without a fault of this executor, of the database, or of the active orchestrator: the one
    that stands by becomes that while the other one is away."""
    others = {*EXECUTORS, "standby"} - {executor}
    active = [hit for hit in hits if hit.who == "active"]
    promoted = [hit for hit in hits if hit.who == "standby" and any(_overlap(hit, other) for other in active)]
    away = sorted((hit.start, hit.end) for hit in [*(hit for hit in hits if hit.who not in others), *promoted])
    longest, there = 0, since
    for start, end in [*away, (until, until)]:
        longest = max(longest, min(start, until) - there)
        there = max(there, end)
    return longest / _SECOND


def _overlap(one: Hit, other: Hit) -> bool:
    return one.start < other.end and other.start < one.end
