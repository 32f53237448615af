"""Wake-ups between orchestrators. Losing one costs time, never an event or a command: each has a look at the store."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol


class WakeKind(Enum):
    """MOVED: a batch has new events. COMMAND: one waits for `to`. ANSWER: one was answered that `to` had sent.

    RELEASED: batches belong to nobody, and are due. MISSED: wake-ups may have been lost; look at everything.
    """

    MOVED = "moved"
    COMMAND = "command"
    ANSWER = "answer"
    RELEASED = "released"
    MISSED = "missed"


class Wake(NamedTuple):
    """Of MOVED: `tenant`, `session_id`, `batch_id`, `head` (its last event). Of COMMAND, ANSWER: `to` (incarnation)."""

    kind: WakeKind
    tenant: str = ""
    session_id: str = ""
    batch_id: str = ""
    to: str = ""
    head: int = 0


class Wakeups(Protocol):
    """What waits to be sent, or to be received, is there once, whatever its number: of a batch's MOVED the highest
    `head`; of very many wakes MISSED alone."""

    async def start(self) -> None:
        """From now on it receives, as far as it can: where that is not yet so, it will be, and MISSED says so."""
        ...

    def send(self, wakes: Sequence[Wake]) -> None:
        """To all others, soon, if there are any. Never blocks, never fails."""
        ...

    async def receive(self) -> list[Wake]:
        """What others sent since the last call, at least one; never one's own. Of COMMAND and ANSWER, only those to
        this start."""
        ...

    async def close(self) -> None:
        """What was sent goes out first, if that takes no longer than a second."""
        ...
