"""The journal: what an executor knows of its NON_IDEMPOTENT calls, across its starts."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from executor_svc.domain.journalled import Entry
from executor_svc.domain.outcome import Outcome


class Acceptance(NamedTuple):
    """A call that may start once this is on disk."""

    call_id: str
    digest: str


class Opened(NamedTuple):
    """What a journal says when it is opened. `copied`: it is not where it was at the last start, so that nothing can be
    said of the starts before this one. `first`: it was made now. `earlier`: the latest starts before this one of which
    it holds every call that they accepted."""

    executor_id: str
    position: int
    first: bool
    copied: bool
    earlier: frozenset[str]


@dataclass(slots=True)
class Entries:
    """What is written together. `acknowledged`: ids of calls whose outcome the sender has recorded.

    A call stands in one of `accepted` and `fenced` at most, and there once.
    """

    accepted: list[Acceptance] = field(default_factory=list[Acceptance])
    ended: list[Outcome] = field(default_factory=list[Outcome])
    fenced: list[str] = field(default_factory=list[str])
    acknowledged: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Written:
    """`position`: where the journal stands now. `held`: the acceptances and fences that were not written, by call id,
    because the journal has an entry of the call: this one."""

    position: int
    held: dict[str, Entry] = field(default_factory=dict[str, Entry])


class Journal(Protocol):
    """Used by one executor at a time, and by it one call at a time.

    Any method may raise UnavailableError (JOURNAL_UNAVAILABLE). A journal takes no more memory for more calls.
    """

    async def open(self, boot_id: str, executor_id: str) -> Opened:
        """Begins a start, and keeps it for ever. `executor_id`: for a journal that has none yet.

        Raises PreconditionError: JOURNAL_LOCKED (another executor has it), JOURNAL_NEWER (its schema is newer than the
        code), each saying what to do.
        """
        ...

    async def close(self, *, at_work: bool = False) -> None:
        """`at_work`: tools of this start go on. Nobody else opens it then before this process has ended."""
        ...

    async def write(self, entries: Entries) -> Written:
        """One transaction, durable when it returns: first acceptances, then endings, fences, acknowledgements.

        Each acceptance, ending and fence moves the position on by one. An ending is of a call that this start accepted.
        An acknowledged call that ended (an earlier start's that never did counts as one) becomes FORGOTTEN; other ids
        are ignored. Nothing at all is written durably, too: it tells whether the journal can be written.

        If it raises, nothing may be taken for written, nor for not written; the same may be written again.
        """
        ...

    async def known_boots(self, boot_ids: Collection[str]) -> set[str]:
        """Those of these starts, this one included, of which it holds every call that they accepted."""
        ...

    async def prune(self, before: int, limit: int) -> int:
        """Drops entries that are FORGOTTEN or FENCED since before a wall time (ns), the oldest first, at most `limit`.

        Returns how many.
        """
        ...
