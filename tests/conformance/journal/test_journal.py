"""What every journal does: says what was accepted and how it ended, in this start and in later ones."""

import pytest

from executor_svc.domain.journalled import Entry, Standing
from executor_svc.domain.outcome import Failure, FailureClass, KnownEffect, Outcome
from executor_svc.ports.journal import Acceptance, Entries, Journal
from shared.kernel.errors import PreconditionError
from tests.conformance.journal.conftest import Book

A, B, C = "batch/a/1", "batch/b/1", "batch/c/1"
FAILURE = Failure(FailureClass.RATE_LIMITED, KnownEffect.NONE, "NOT_NOW", "böse \U0001f600", 1.5, refused=True)


def took(*call_ids: str) -> Entries:
    return Entries(accepted=[Acceptance(call_id, f"digest of {call_id}") for call_id in call_ids])


def ended(call_id: str, result: bytes | None = b'{"x":1}', failure: Failure | None = None) -> Outcome:
    return Outcome(call_id, None if failure else result, failure, 1_767_225_600_000_000_001, 0.25, 1.5)


async def held(journal: Journal, call_id: str) -> Entry | None:
    """What it has of a call. Fences one that it does not have."""
    return (await journal.write(Entries(fenced=[call_id]))).held.get(call_id)


async def test_what_was_accepted_stands_in_later_starts(book: Book, journal: Journal) -> None:
    assert (await journal.write(took(A, B))).held == {}
    await book.start()
    assert book.journal is not None
    assert await held(book.journal, A) == Entry(A, f"digest of {A}", "boot-1", Standing.ACCEPTED)


@pytest.mark.parametrize("again", ["at once", "after a start"])
async def test_what_it_has_is_not_accepted_again(book: Book, journal: Journal, again: str) -> None:
    await journal.write(took(A))
    if again == "after a start":
        await book.start()
    assert book.journal is not None
    written = await book.journal.write(took(A, B))
    assert {*written.held} == {A}
    assert written.held[A].standing is Standing.ACCEPTED


@pytest.mark.parametrize(
    ("outcome", "ending", "effect"),
    [
        (ended(A), "SUCCEEDED", KnownEffect.DONE),
        (ended(A, b""), "SUCCEEDED", KnownEffect.DONE),
        (ended(A, b'"' + b"x" * (2 << 20) + b'"'), "SUCCEEDED", KnownEffect.DONE),
        (ended(A, failure=FAILURE), "RATE_LIMITED", KnownEffect.NONE),
    ],
)
async def test_an_outcome_is_kept_as_it_is(
    book: Book, journal: Journal, outcome: Outcome, ending: str, effect: KnownEffect
) -> None:
    await journal.write(took(A))
    position = (await journal.write(Entries(ended=[outcome]))).position
    await book.start()
    assert book.journal is not None
    entry = await held(book.journal, A)
    assert entry is not None
    assert (entry.standing, entry.ending, entry.effect) == (Standing.ENDED, ending, effect)
    assert entry.outcome is not None
    assert entry.outcome.position == position
    entry.outcome.position = outcome.position
    assert entry.outcome == outcome


async def test_the_same_may_be_written_again(journal: Journal) -> None:
    await journal.write(took(A))
    await journal.write(Entries(ended=[ended(A)]))
    await journal.write(Entries(ended=[ended(A, b"2")]))
    entry = await held(journal, A)
    assert entry is not None
    assert entry.outcome is not None
    assert entry.outcome.result == b"2"


async def test_an_acknowledged_outcome_is_forgotten_but_not_that_it_ended(book: Book, journal: Journal) -> None:
    await journal.write(took(A, B, C))
    await journal.write(Entries(ended=[ended(A), ended(B, failure=FAILURE)]))
    await journal.write(Entries(acknowledged=[A, B, C, "no such call"]))
    known = [await held(journal, call_id) for call_id in (A, B)]
    assert known == [
        Entry(A, f"digest of {A}", "boot-1", Standing.FORGOTTEN, None, "SUCCEEDED", KnownEffect.DONE),
        Entry(B, f"digest of {B}", "boot-1", Standing.FORGOTTEN, None, "RATE_LIMITED", KnownEffect.NONE),
    ]
    running = await held(journal, C)
    assert running is not None
    assert running.standing is Standing.ACCEPTED, "what runs cannot be acknowledged"


async def test_what_an_earlier_start_left_behind_may_have_had_its_effect(book: Book, journal: Journal) -> None:
    await journal.write(took(A))
    await book.start()
    assert book.journal is not None
    await book.journal.write(Entries(acknowledged=[A]))
    entry = await held(book.journal, A)
    assert entry == Entry(A, f"digest of {A}", "boot-1", Standing.FORGOTTEN, None, "UNAVAILABLE", KnownEffect.POSSIBLE)


async def test_what_was_fenced_is_never_accepted(book: Book, journal: Journal) -> None:
    assert (await journal.write(Entries(fenced=[A]))).held == {}
    await book.start()
    assert book.journal is not None
    written = await book.journal.write(took(A))
    assert written.held[A] == Entry(A, "", "", Standing.FENCED)


async def test_the_position_moves_with_every_call_that_is_taken_ended_or_fenced(book: Book, journal: Journal) -> None:
    steps = [
        (took(A, B), 2),
        (took(A), 2),
        (Entries(ended=[ended(A)]), 3),
        (Entries(fenced=[B, C]), 4),
        (Entries(acknowledged=[A]), 4),
        (Entries(), 4),
        (Entries(accepted=[Acceptance("d", "")], ended=[ended(B)], fenced=["e"]), 7),
    ]
    for entries, position in steps:
        assert (await journal.write(entries)).position == position
    assert (await book.start()).position == 7


async def test_the_executors_id_is_made_once(book: Book) -> None:
    opened = await book.start()
    assert (opened.executor_id, opened.first, opened.copied) == ("executor-1", False, False)


async def test_every_start_is_kept(book: Book) -> None:
    await book.start()
    await book.start()
    assert book.journal is not None
    known = await book.journal.known_boots(["boot-1", "boot-2", "boot-3", "boot-4", ""])
    assert known == {"boot-1", "boot-2", "boot-3"}
    assert (await book.start()).earlier == {"boot-1", "boot-2", "boot-3"}


async def test_nobody_opens_it_while_tools_of_a_start_go_on(book: Book) -> None:
    await book.start()
    journal, book.journal = book.journal, None
    assert journal is not None
    await journal.close(at_work=True)
    with pytest.raises(PreconditionError, match="JOURNAL_LOCKED"):
        await book.one().open("boot-3", "executor")


async def test_a_copy_answers_for_no_start_before_it(book: Book) -> None:
    await book.start()
    await book.move()
    opened = await book.start()
    assert opened.copied
    assert opened.executor_id == "executor-1"
    assert opened.earlier == set()
    assert (await book.start()).earlier == {"boot-3"}
    assert book.journal is not None
    assert await book.journal.known_boots(["boot-1", "boot-2", "boot-3", "boot-4"]) == {"boot-3", "boot-4"}


async def test_one_executor_has_it_at_a_time(book: Book, journal: Journal) -> None:
    with pytest.raises(PreconditionError, match="another executor has"):
        await book.one().open("boot-2", "executor-2")
    assert (await journal.write(took(A))).position == 1, "the one that has it goes on"


async def test_what_nobody_can_ask_for_any_more_goes_a_slice_at_a_time(book: Book, journal: Journal) -> None:
    await journal.write(took(A, B, C))
    await journal.write(Entries(ended=[ended(A), ended(B)], fenced=["d"], acknowledged=[A]))
    book.clock.advance(100)
    await journal.write(Entries(fenced=["e"]))
    cut = book.clock.time_ns() - 50_000_000_000
    assert [await journal.prune(cut, 1) for _ in range(3)] == [1, 1, 0]
    kept = {call_id: await held(journal, call_id) for call_id in (A, B, C, "d", "e")}
    standings = {call_id: entry.standing for call_id, entry in kept.items() if entry}
    assert standings == {B: Standing.ENDED, C: Standing.ACCEPTED, "e": Standing.FENCED}
