from dataclasses import dataclass
from typing import Any

from executor_svc.application.outbox import ChunkEntry, Outbox, ProgressEntry
from executor_svc.domain.outcome import FailureClass, Outcome, refusal, refused


@dataclass
class Started:
    call: Any
    start_ns: int
    settled: bool
    position: int = 0


def outcome(number: int, size: int = 10) -> Outcome:
    return Outcome(str(number), b"x" * size, None, 1, 0.0, 0.0)


def sizes(outbox: Outbox) -> list[int]:
    taken: list[int] = []
    while (parcel := outbox.take()) is not None:
        taken.append(len(parcel.entries))
    return taken


def test_an_empty_one_gives_nothing():
    assert Outbox().take() is None


def test_a_parcel_holds_64_entries_in_order():
    outbox = Outbox()
    for number in range(150):
        outbox.put(outcome(number))
    first = outbox.take()
    assert first is not None
    assert [entry.call_id for entry in first.entries if isinstance(entry, Outcome)] == [
        str(number) for number in range(64)
    ]
    assert sizes(outbox) == [64, 22]


def test_a_parcel_holds_about_a_mebibyte_and_one_entry_may_be_larger():
    outbox = Outbox()
    for number, size in enumerate([500_000, 500_000, 500_000, 2_000_000, 10]):
        outbox.put(outcome(number, size))
    assert sizes(outbox) == [2, 1, 1, 1]


def test_long_messages_of_failures_count_too():
    outbox = Outbox()
    for number in range(64):
        outbox.put(refused(str(number), refusal(FailureClass.PERMANENT, "X", "\U0001f600" * 8000)))
    assert max(sizes(outbox)) <= 33


def test_only_the_newest_progress_of_a_call_waits():
    outbox = Outbox()
    for number in range(1000):
        outbox.put_progress(ProgressEntry("a", number / 1000, ""))
    outbox.put_progress(ProgressEntry("b", None, "b"))
    parcel = outbox.take()
    assert parcel is not None
    assert parcel.entries == [ProgressEntry("a", 0.999, ""), ProgressEntry("b", None, "b")]


def test_chunks_and_outcomes_keep_their_order_over_parcels():
    outbox = Outbox()
    for index in range(100):
        outbox.put_chunk(ChunkEntry("a", index, b"1"))
    outbox.put(outcome(0))
    assert outbox.chunk_bytes == 100
    entries: list[Any] = []
    while (parcel := outbox.take()) is not None:
        entries += parcel.entries
    assert [entry.index for entry in entries[:-1]] == list(range(100))
    assert isinstance(entries[-1], Outcome)
    assert outbox.chunk_bytes == 0


def test_only_what_has_started_and_still_runs_is_accepted():
    outbox = Outbox()

    class Named:
        id = "a"

    running, waiting, over = (Started(Named, *state) for state in ((5, False), (0, False), (7, True)))
    outbox.fresh += [running, waiting, over]
    parcel = outbox.take()
    assert parcel is not None
    assert [entry.start_ns for entry in parcel.accepted] == [5]
    assert outbox.take() is None
    waiting.start_ns = 9
    parcel = outbox.take()
    assert parcel is not None
    assert [entry.start_ns for entry in parcel.accepted] == [9]


def test_what_changed_is_said_once():
    outbox = Outbox()
    outbox.grant = True
    parcel = outbox.take()
    assert parcel is not None
    assert (parcel.grant, parcel.tools, parcel.entries) == (True, False, [])
    assert outbox.take() is None
