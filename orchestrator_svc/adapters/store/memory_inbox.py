"""Commands for owners in memory: the same rules as in a database."""

from orchestrator_svc.adapters.store.memory_commits import KeptCommand
from orchestrator_svc.adapters.store.memory_starts import MemoryStart
from orchestrator_svc.ports.commands import CommandAnswer, SentCommand


class MemoryInbox(MemoryStart):
    """Implements `Commands`."""

    async def send(self, command: SentCommand, now: int) -> None:
        self._check()
        if self._held.find(command.tenant, command.batch_id) is None:
            return
        key = (command.tenant, command.request_id, command.batch_id)
        kept = self._held.inbox.setdefault(key, KeptCommand(command, now))
        kept.command, kept.time, kept.refusal = kept.command._replace(sender=command.sender), now, None

    async def received(self, limit: int) -> list[SentCommand]:
        waiting = [kept for kept in self._held.inbox.values() if self._waits(kept)]
        return [kept.command for kept in sorted(waiting, key=lambda kept: kept.time)[:limit]]

    async def refuse(self, command: SentCommand, refusal: bytes) -> None:
        self._check()
        kept = self._held.inbox.get((command.tenant, command.request_id, command.batch_id))
        batch = self._held.find(command.tenant, command.batch_id)
        if kept is not None and batch is not None and batch.belongs_to(self._incarnation):
            kept.refusal = refusal

    async def answer(self, tenant: str, batch_id: str, request_id: str) -> CommandAnswer | None:
        recorded = self._recorded(tenant, batch_id, request_id)
        if recorded is not None:
            return CommandAnswer(recorded, None)
        kept = self._held.inbox.get((tenant, request_id, batch_id))
        return CommandAnswer(None, kept.refusal) if kept is not None and kept.refusal is not None else None

    async def withdraw(self, tenant: str, batch_id: str, request_id: str) -> None:
        self._check()
        self._held.inbox.pop((tenant, request_id, batch_id), None)

    async def forget_commands(self, before: int) -> int:
        self._check()
        live = {incarnation for incarnation, start in self._held.starts.items() if not start.superseded}
        inbox = self._held.inbox
        old = [key for key, kept in inbox.items() if kept.time < before and kept.command.sender not in live]
        for key in old:
            del inbox[key]
        return len(old)

    def _waits(self, kept: KeptCommand) -> bool:
        tenant, batch_id, request_id = kept.command[:3]
        batch = self._held.find(tenant, batch_id)
        owned = batch is not None and batch.incarnation == self._incarnation
        return owned and kept.refusal is None and self._recorded(tenant, batch_id, request_id) is None

    def _recorded(self, tenant: str, batch_id: str, request_id: str) -> bytes | None:
        request, _ = self._held.requests.get((tenant, request_id), (None, 0))
        return request.answers.get(batch_id) if request is not None else None
