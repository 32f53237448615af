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
    """`tenant`, `session_id`, `batch_id`: of MOVED. `to`: an incarnation, of COMMAND and ANSWER."""

    kind: WakeKind
    tenant: str = ""
    session_id: str = ""
    batch_id: str = ""
    to: str = ""


class Wakeups(Protocol):
    def send(self, wakes: Sequence[Wake]) -> None:
        """To all others, soon, if there are any. Never blocks, never fails."""
        ...

    async def receive(self) -> list[Wake]:
        """What others sent since the last call, at least one; never one's own. Of COMMAND and ANSWER, only those to
        this start."""
        ...

    async def close(self) -> None: ...
