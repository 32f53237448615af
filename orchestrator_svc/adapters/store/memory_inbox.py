"""Commands for owners in memory: the same rules as in a database."""

from collections.abc import Collection, Sequence

from orchestrator_svc.adapters.store.memory_commits import KeptCommand
from orchestrator_svc.adapters.store.memory_starts import MemoryStart
from orchestrator_svc.ports.commands import CommandAnswer, CommandId, SentCommand
from orchestrator_svc.ports.store import Request


class MemoryInbox(MemoryStart):
    """Implements `Commands`."""

    async def send(self, commands: Sequence[SentCommand], now: int) -> bool:
        self._check()
        for place, command in enumerate(commands):
            if self._held.find(command.tenant, command.batch_id) is not None:
                kept = self._held.inbox.setdefault(command.id, KeptCommand(command, now))
                kept.command, kept.time = kept.command._replace(sender=command.sender), now + place
                kept.refusal = None
        return False

    async def received(self, limit: int) -> list[SentCommand]:
        waiting = [kept for kept in self._held.inbox.values() if self._waits(kept)]
        return [kept.command for kept in sorted(waiting, key=lambda kept: kept.time)[:limit]]

    async def refuse(self, refusals: Sequence[tuple[SentCommand, bytes]]) -> None:
        self._check()
        for command, refusal in refusals:
            kept = self._held.inbox.get(command.id)
            batch = self._held.find(command.tenant, command.batch_id)
            if kept is not None and batch is not None and batch.belongs_to(self._incarnation):
                kept.refusal = refusal

    async def answers(self, asked: Collection[CommandId]) -> dict[CommandId, CommandAnswer]:
        found: dict[CommandId, CommandAnswer] = {}
        for one in asked:
            request, kept = self._request(one), self._held.inbox.get(one)
            if request is not None and one.batch_id in request.answers:
                found[one] = CommandAnswer(request.answers[one.batch_id], None, request.kind, request.payload_hash)
            elif kept is not None and kept.refusal is not None:
                found[one] = CommandAnswer(None, kept.refusal, kept.command.kind, kept.command.payload_hash)
        return found

    async def withdraw(self, ids: Collection[CommandId]) -> None:
        self._check()
        for one in ids:
            self._held.inbox.pop(one, None)

    async def forget_commands(self, before: int) -> int:
        self._check()
        live = {incarnation for incarnation, start in self._held.starts.items() if not start.superseded}
        inbox = self._held.inbox
        old = [key for key, kept in inbox.items() if kept.time < before and kept.command.sender not in live]
        for key in old:
            del inbox[key]
        return len(old)

    def _waits(self, kept: KeptCommand) -> bool:
        batch = self._held.find(kept.command.tenant, kept.command.batch_id)
        owned = batch is not None and batch.incarnation == self._incarnation
        return owned and kept.refusal is None and not self._is_answered(kept.command.id)

    def _is_answered(self, which: CommandId) -> bool:
        request = self._request(which)
        return request is not None and which.batch_id in request.answers

    def _request(self, which: CommandId) -> Request | None:
        request, _ = self._held.requests.get((which.tenant, which.request_id), (None, 0))
        return request
