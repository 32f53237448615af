from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from executor_svc.adapters.journal.memory import MemoryJournal
from executor_svc.adapters.journal.sqlite import SqliteJournal
from executor_svc.ports.journal import Journal, Opened
from tests.support.clock import ManualClock


class Book:
    """A journal that outlives its starts: `start` is another one of the same executor."""

    def __init__(self, kind: str, path: Path) -> None:
        self.clock = ManualClock()
        self._path = path
        self._memory = MemoryJournal(self.clock) if kind == "memory" else None
        self.journal: Journal | None = None
        self._starts = 0

    def one(self) -> Journal:
        """For a start of one's own."""
        return self._memory or SqliteJournal(self._path, self.clock)

    async def start(self) -> Opened:
        """The boots are `boot-1`, `boot-2` and so on."""
        await self.close()
        self.journal = self.one()
        self._starts += 1
        return await self.journal.open(f"boot-{self._starts}", f"executor-{self._starts}")

    async def close(self) -> None:
        if self.journal is not None:
            journal, self.journal = self.journal, None
            await journal.close()

    async def move(self) -> None:
        """The file is copied, and put where it was."""
        await self.close()
        if self._memory is not None:
            self._memory.copied = True
        else:
            copy = self._path.with_name("copy.db")
            copy.write_bytes(self._path.read_bytes())
            copy.replace(self._path)


@pytest.fixture(params=["memory", "sqlite"])
async def book(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Book]:
    book = Book(request.param, tmp_path / "journal.db")
    await book.start()
    yield book
    await book.close()


@pytest.fixture
def journal(book: Book) -> Journal:
    """Of the first start."""
    assert book.journal is not None
    return book.journal
