"""Commands for a batch of another orchestrator: written down by who got the request, carried out by the owner.

The owner's answer is recorded as that of any request, in the transaction of the changes that it caused
(`CommandRecord`); a refusal, which changed nothing, is recorded here. Any method may raise UnavailableError
(STORE_UNAVAILABLE), and may be repeated.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol


class CommandId(NamedTuple):
    """Which command: a request, as far as it is about one batch."""

    tenant: str
    batch_id: str
    request_id: str


class SentCommand(NamedTuple):
    """`request_id` is the client's, or one made for the command. `kind`, `arguments`: which, and with what (JSON).

    `sender`: the incarnation that waits for the answer. `principal`: on whose behalf.
    """

    tenant: str
    batch_id: str
    request_id: str
    kind: str
    payload_hash: bytes
    arguments: bytes
    principal: str
    sender: str

    @property
    def id(self) -> CommandId:
        return CommandId(self.tenant, self.batch_id, self.request_id)


class CommandAnswer(NamedTuple):
    """Exactly one is there. `answer`: what was recorded with the changes. `refusal`: a GreenlightError, as JSON.

    `kind`, `payload_hash`: of the request that this was said to. The id may have been used for another one, elsewhere.
    """

    answer: bytes | None
    refusal: bytes | None
    kind: str
    payload_hash: bytes


class Commands(Protocol):
    async def send(self, commands: Sequence[SentCommand], now: int) -> bool:
        """Writes them down, in order. One that is there already stays, but for who waits for it since when; its refusal
        is forgotten. True: the owners, as they are now, have been woken by that (COMMAND)."""
        ...

    async def received(self, limit: int) -> list[SentCommand]:
        """The oldest of those that wait, unanswered, for a batch of this start."""
        ...

    async def refuse(self, refusals: Sequence[tuple[SentCommand, bytes]]) -> None:
        """They were judged, and changed nothing."""
        ...

    async def answers(self, asked: Collection[CommandId]) -> dict[CommandId, CommandAnswer]:
        """Of those that have one yet."""
        ...

    async def withdraw(self, ids: Collection[CommandId]) -> None:
        """Nobody has to carry them out any more: they were answered, or their sender has the batch now."""
        ...

    async def forget_commands(self, before: int) -> int:
        """Those sent before a time, whose senders are gone. Returns how many."""
        ...
