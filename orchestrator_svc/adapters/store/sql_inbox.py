"""Commands for owners over SQL, on either database."""

from collections.abc import Collection, Sequence

from orchestrator_svc.adapters.store import inbox
from orchestrator_svc.adapters.store.reading import received
from orchestrator_svc.adapters.store.sql_access import SqlAccess
from orchestrator_svc.ports.commands import CommandAnswer, CommandId, SentCommand


class SqlInbox(SqlAccess):
    """Implements `Commands`."""

    async def send(self, commands: Sequence[SentCommand], now: int) -> bool:
        await self._write(inbox.send, commands, now)
        return False

    async def received(self, limit: int) -> list[SentCommand]:
        return await self._look(received.received, self._incarnation, limit)

    async def refuse(self, refusals: Sequence[tuple[SentCommand, bytes]]) -> None:
        await self._write(inbox.refuse, refusals, self._incarnation)

    async def answers(self, asked: Collection[CommandId]) -> dict[CommandId, CommandAnswer]:
        return await self._look(received.answers, asked)

    async def withdraw(self, ids: Collection[CommandId]) -> None:
        await self._write(inbox.withdraw, ids)

    async def forget_commands(self, before: int) -> int:
        return await self._write(inbox.forget, before)
