"""Commands for owners over SQL, on either database."""

from orchestrator_svc.adapters.store import inbox
from orchestrator_svc.adapters.store.reading import received
from orchestrator_svc.adapters.store.sql_access import SqlAccess
from orchestrator_svc.ports.commands import CommandAnswer, SentCommand


class SqlInbox(SqlAccess):
    """Implements `Commands`."""

    async def send(self, command: SentCommand, now: int) -> None:
        await self._write(inbox.send, command, now)

    async def received(self, limit: int) -> list[SentCommand]:
        return await self._read(received.received, self._incarnation, limit)

    async def refuse(self, command: SentCommand, refusal: bytes) -> None:
        await self._write(inbox.refuse, command, refusal, self._incarnation)

    async def answer(self, tenant: str, batch_id: str, request_id: str) -> CommandAnswer | None:
        return await self._read(received.answer, tenant, batch_id, request_id)

    async def withdraw(self, tenant: str, batch_id: str, request_id: str) -> None:
        await self._write(inbox.withdraw, tenant, batch_id, request_id)

    async def forget_commands(self, before: int) -> int:
        return await self._write(inbox.forget, before)
