"""Where commands go: to the batch if it can be had here, else to the orchestrator that has it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.commands.carrying import Carrier
from orchestrator_svc.application.commands.errand import Errand
from orchestrator_svc.application.commands.kind import AnyKind, CommandKind
from orchestrator_svc.application.commands.neighbours import Neighbours
from orchestrator_svc.application.commands.outbox import Outbox
from orchestrator_svc.application.commands.performing import Performer
from orchestrator_svc.application.commands.receiving import Receiver
from orchestrator_svc.application.commands.sending import Sender
from orchestrator_svc.application.engine.draining import DRAINING
from orchestrator_svc.application.engine.elsewhere import OwnedElsewhereError
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.ports.store import Request
from shared.kernel.clock import Clock
from shared.kernel.errors import UnavailableError
from shared.kernel.ids import IdSource

A = TypeVar("A")
R = TypeVar("R")

NOT_KNOWN = ""
"""Who has a batch that cannot be taken here: whoever it is finds what was written down for it."""


class CommandRouter:
    """`neighbours` None: this orchestrator is alone, and all goes on here. `receive` is its one task, if it is not."""

    def __init__(
        self, engine: Engine, requests: Requests, ids: IdSource, clock: Clock, neighbours: Neighbours | None = None
    ) -> None:
        self._requests, self._ids = requests, ids
        self._kinds: dict[str, AnyKind] = {}
        self._performer = Performer(engine, requests, neighbours is not None)
        self._outbox: Outbox | None = None
        self._sender: Sender | None = None
        self._receiver: Receiver | None = None
        if neighbours is not None:
            self._outbox = Outbox(neighbours, clock)
            self._sender = Sender(neighbours, self._performer, self._outbox, clock)
            carrier = Carrier(neighbours, self._kinds, engine, requests)
            self._receiver = Receiver(neighbours, carrier, self._sender, clock)

    @property
    def kinds(self) -> Mapping[str, AnyKind]:
        """By name."""
        return self._kinds

    def serve(self, kind: CommandKind[A, R]) -> CommandKind[A, R]:
        """From now on others may send such commands."""
        assert kind.name not in self._kinds, kind.name
        self._kinds[kind.name] = kind
        return kind

    async def run(
        self, kind: CommandKind[A, R], caller: Caller, batch_id: str, arguments: A, key: RequestKey | None
    ) -> R:
        """A request that is one command. Raises what the handler raises; InvalidError (REQUEST_ID_REUSED);
        NotFoundError (BATCH_UNKNOWN); UnavailableError (BATCH_LOST, OWNER_SILENT, OWNER_INCOMPATIBLE, ...)."""
        async with self._requests.once(caller.tenant, key) as earlier:
            return await self.carry_out(kind, caller, batch_id, arguments, key, earlier)

    async def carry_out(
        self,
        kind: CommandKind[A, R],
        caller: Caller,
        batch_id: str,
        arguments: A,
        key: RequestKey | None,
        earlier: Request | None,
    ) -> R:
        """One command of a request, of which `earlier` is remembered. Raises as `run`."""
        if earlier is not None and batch_id in earlier.answers:
            return kind.load(earlier.answers[batch_id])
        errand = Errand(kind, caller, batch_id, arguments, key)
        try:
            return await self._performer.perform(errand)
        except OwnedElsewhereError as elsewhere:
            assert self._sender is not None, "nobody else is there"
            if key is None:
                errand = replace(errand, key=RequestKey(self._ids.new(), kind.name, b""))
            return await self._sender.send(errand, elsewhere.incarnation)

    async def bring(self, kind: CommandKind[A, R], caller: Caller, batch_id: str, arguments: A) -> R:
        """One that no client asks for: also while this orchestrator takes no batch any more. Raises as `run`."""
        try:
            return await self.carry_out(kind, caller, batch_id, arguments, None, None)
        except UnavailableError as error:
            if error.reason != DRAINING or self._sender is None:
                raise
        errand = Errand(kind, caller, batch_id, arguments, RequestKey(self._ids.new(), kind.name, b""))
        return await self._sender.send(errand, NOT_KNOWN)

    # -- the other orchestrators

    async def receive(self) -> None:
        """Sends to the others, and carries out what they send. Returns at once where there are none."""
        if self._outbox is not None and self._receiver is not None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._outbox.run(), name="commands to others")
                tasks.create_task(self._receiver.run(), name="commands of others")

    def look(self) -> None:
        """Another one may have sent a command."""
        if self._receiver is not None:
            self._receiver.look()

    def answered(self) -> None:
        """Another one may have answered."""
        if self._outbox is not None:
            self._outbox.look()
