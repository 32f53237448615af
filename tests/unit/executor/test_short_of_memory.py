"""Where memory is short the journal cannot be written now; it can be another time."""

import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from executor_svc.adapters.journal.sqlite import SqliteJournal
from executor_svc.ports.journal import Acceptance, Entries, Written
from shared.kernel.clock import SystemClock
from shared.kernel.errors import UnavailableError

ENTRIES = Entries(accepted=[Acceptance("b/k/1", "sha256:1")], fenced=["b/k/2"])


class Short(sqlite3.Connection):
    """Has memory for `left` statements more; the driver says MemoryError where SQLite gets none."""

    left = 1_000_000

    def execute(self, *args: Any) -> sqlite3.Cursor:
        Short.take()
        return super().execute(*args)

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        Short.take()
        return super().executemany(*args)

    @classmethod
    def take(cls) -> None:
        cls.left -= 1
        if cls.left < 0:
            raise MemoryError


@pytest.fixture
async def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteJournal]:
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Short))
    monkeypatch.setattr(Short, "left", 1_000_000)
    journal = SqliteJournal(tmp_path / "journal.db", SystemClock())
    await journal.open("boot-1", "executor-1")
    yield journal
    Short.left = 1_000_000
    await journal.close()


async def attempt(journal: SqliteJournal, statements: int) -> Written | UnavailableError:
    """With memory for so many."""
    Short.left = statements
    try:
        return await journal.write(ENTRIES)
    except UnavailableError as error:
        return error


async def test_from_each_statement_on_nothing_is_written_and_a_retry_works(journal: SqliteJournal):
    statements = 0
    while isinstance(told := await attempt(journal, statements), UnavailableError):
        assert (told.reason, told.retry_after) == ("JOURNAL_UNAVAILABLE", 1.0)
        assert told.message.endswith("journal.db cannot be used now: out of memory")
        statements += 1
    assert statements > 5
    assert told == Written(2)
