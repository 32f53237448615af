"""A command with all that it takes to carry it out, here or elsewhere."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.commands.kind import CommandKind
from orchestrator_svc.ports.commands import SentCommand

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Errand(Generic[A, R]):
    """`key` None: it is not repeatable, and goes nowhere else."""

    kind: CommandKind[A, R]
    caller: Caller
    batch_id: str
    arguments: A
    key: RequestKey | None

    def written(self, sender: str) -> SentCommand:
        """To be sent by that incarnation."""
        assert self.key is not None, "what is sent may be sent twice"
        assert self.key.kind == self.kind.name, "its owner remembers the request by the command's name"
        return SentCommand(
            self.caller.tenant,
            self.batch_id,
            self.key.request_id,
            self.kind.name,
            self.key.payload_hash,
            self.kind.write(self.arguments),
            self.caller.principal,
            sender,
        )


def read_errand(kind: CommandKind[A, R], command: SentCommand) -> Errand[A, R]:
    """Raises UnreadableError."""
    key = RequestKey(command.request_id, command.kind, command.payload_hash)
    caller = Caller(command.tenant, command.principal)
    return Errand(kind, caller, command.batch_id, kind.read(command.arguments), key)
