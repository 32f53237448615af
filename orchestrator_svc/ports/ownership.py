"""Whose a batch is: leases of orchestrators, and batches that change hands.

A batch with something to run belongs to one start of an orchestrator (its incarnation), and its epoch grows each time
it changes hands; one that only waits for people, or is finished, belongs to nobody. Any method may raise
UnavailableError (STORE_UNAVAILABLE): then nothing was changed, or that is not known; each may be repeated.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.binding import ArgumentsJudge


class Lease(NamedTuple):
    """Of an orchestrator that has not ended, as far as is on record. `counter` grows while it lives."""

    incarnation: str
    counter: int


class Beat(NamedTuple):
    """What a renewal shows. `time`: the store's own clock (ns since 1970). `others`: the leases but for one's own."""

    time: int
    others: list[Lease]


class Elsewhere(NamedTuple):
    """A batch is another orchestrator's, which has not ended."""

    incarnation: str


class Ownership(Protocol):
    """What a store knows of owners. `shared`: whether several orchestrators may work on it at the same time."""

    @property
    def shared(self) -> bool: ...

    async def renew(self) -> Beat:
        """Moves this start's counter. Raises PreconditionError (STORE_TAKEN) where another one has ended it."""
        ...

    async def supersede(self, lease: Lease) -> bool:
        """Ends another start, if its counter still is that: from now on it writes nothing.

        Its batches belong to nobody and are due at once (an idle one at its end); its submissions that were never
        published go. False: it lives, or was ended by somebody else.
        """
        ...

    async def end(self) -> None:
        """Ends this start: what is still its own belongs to nobody and is due at once. Nothing may be written after."""
        ...

    async def take(self, tenant: str, batch_id: str, judge: ArgumentsJudge) -> Batch | Elsewhere | None:
        """The batch, whole, as the engine works on it, finished or not; from now on this start's (epoch + 1).

        A start that was ended takes none, but may be told whose it is.
        """
        ...

    async def take_due(self, now: int, judge: ArgumentsJudge) -> list[Batch]:
        """Some that belong to nobody and whose `wake_time` has come, the earliest first; none: there are no more.

        Each is taken by one orchestrator only, however many ask. A few, or one that is large.
        """
        ...

    async def next_wake(self) -> int | None:
        """The earliest `wake_time` of those that belong to nobody."""
        ...

    async def still(self, batch: Batch) -> bool:
        """Whether a batch is as this start knows it (head, epoch), and nobody else's."""
        ...

    async def let_go(self, batches: Sequence[Batch], now: int) -> None:
        """They belong to nobody from now on, as far as they still are as this start knows them.

        Each is due at its `wake_time`, or, where there is something to do with it, at `now` (an idle one at its end,
        one that has a `look_time` then).
        """
        ...
