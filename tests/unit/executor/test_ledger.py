from executor_svc.application.ledger import Ledger, Retention
from executor_svc.domain.outcome import Outcome


def ended(number: int, size: int = 10) -> Outcome:
    return Outcome(f"call {number}", b"x" * size, None, 1, 0.0, 0.0)


def ledger_of(count: int, **limits: float) -> Ledger:
    ledger = Ledger(Retention(**limits))  # type: ignore[arg-type]
    for number in range(count):
        ledger.add("digest", ended(number), f"tenant {number}", number)
    return ledger


def outcome(ledger: Ledger, number: int) -> Outcome | None:
    found = ledger.get(f"call {number}")
    return found.outcome if found else None


def test_what_is_not_acknowledged_stays():
    ledger = ledger_of(2)
    ledger.forget(1e9)
    assert outcome(ledger, 0) == ended(0)


def test_what_is_acknowledged_stays_for_a_time_and_is_forgotten_then():
    ledger = ledger_of(3, seconds=60)
    ledger.acknowledge(["call 0", "call 0", "unknown"], 100)
    ledger.acknowledge(["call 1"], 130)
    ledger.forget(159)
    assert outcome(ledger, 0) == ended(0)
    ledger.forget(160)
    assert ledger.get("call 0") is None
    assert outcome(ledger, 1) == ended(1)
    ledger.forget(190)
    assert ledger.get("call 1") is None
    assert outcome(ledger, 2) == ended(2)


def test_of_many_acknowledged_the_ids_are_remembered_and_the_newest_results():
    ledger = ledger_of(10, seconds=60, kept_calls=3)
    ledger.acknowledge([f"call {number}" for number in range(10)], 0)
    assert [outcome(ledger, number) is not None for number in range(10)] == [False] * 7 + [True] * 3
    assert all(ledger.get(f"call {number}") for number in range(10))
    ledger.forget(60)
    assert not any(ledger.get(f"call {number}") for number in range(10))
    ledger.add("digest", ended(11), "t", 60)
    ledger.acknowledge(["call 11"], 61)
    assert outcome(ledger, 11) == ended(11)


def test_it_is_full_by_number_and_by_size_until_acknowledged():
    ledger = ledger_of(2, unacknowledged_calls=3)
    assert not ledger.is_full
    ledger.add("digest", ended(2), "t", 0)
    assert ledger.is_full
    ledger.acknowledge(["call 1"], 0)
    assert not ledger.is_full
    ledger = ledger_of(1, unacknowledged_bytes=100)
    ledger.add("digest", ended(1, size=90), "t", 0)
    assert ledger.is_full
    ledger.acknowledge(["call 1"], 0)
    assert not ledger.is_full


def test_fences_are_for_ever_and_no_more_are_promised_than_can_be_kept():
    ledger = ledger_of(0, fenced=2)
    assert [ledger.fence(call_id) for call_id in ("a", "b", "c", "a")] == [True, True, False, True]
    ledger.forget(1e9)
    assert ledger.fenced == {"a", "b"}


def reminded(ledger: Ledger, now: float) -> list[str]:
    return [outcome.call_id for _, outcome in ledger.unheard(now)]


def test_of_what_nobody_acknowledged_for_long_one_is_reminded_and_again_after_as_long():
    ledger = ledger_of(4, reminder_seconds=60)
    ledger.acknowledge(["call 1"], 30)
    assert reminded(ledger, 59) == []
    assert ledger.unheard(61) == [("tenant 0", ended(0))]
    assert reminded(ledger, 62) == ["call 2"]
    ledger.acknowledge(["call 0"], 70)
    assert reminded(ledger, 120) == ["call 3"]
    assert reminded(ledger, 122) == ["call 2"]
    assert reminded(ledger, 122) == []


def test_few_are_reminded_of_at_once():
    ledger = ledger_of(100, reminder_seconds=1)
    assert [len(reminded(ledger, 500)) for _ in range(3)] == [64, 36, 0]
    ledger = ledger_of(0, reminder_seconds=1)
    for number in range(5):
        ledger.add("digest", ended(number, size=400 << 10), "t", 0)
    assert [len(reminded(ledger, 500)) for _ in range(3)] == [3, 2, 0]
