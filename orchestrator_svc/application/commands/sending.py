"""Commands for batches that another orchestrator has: written down, its answer waited for; or carried out here after
all, where it let the batch go."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from orchestrator_svc.application.commands.errand import Errand
from orchestrator_svc.application.commands.neighbours import Neighbours
from orchestrator_svc.application.commands.performing import LOST, Performer
from orchestrator_svc.application.commands.refusals import read_refusal
from orchestrator_svc.application.engine.live import OwnedElsewhereError
from orchestrator_svc.ports.commands import CommandAnswer, SentCommand
from orchestrator_svc.ports.wakeups import Wake, WakeKind
from shared.kernel.clock import Clock
from shared.kernel.errors import GreenlightError, UnavailableError

R = TypeVar("R")

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.25
LOOK_AFTER = 0.1
"""A pause that is longer ends with a look whether the batch can be had by now."""

UNDECIDED = frozenset({LOST, "DRAINING", "STORE_DAMAGED", "STORE_UNAVAILABLE"})
"""Reasons that say nothing of the command itself: it stays where it is written down."""

_log = logging.getLogger(__name__)


class Sent(NamedTuple):
    """Which command it is."""

    tenant: str
    batch_id: str
    request_id: str


def sent(command: SentCommand) -> Sent:
    return Sent(command.tenant, command.batch_id, command.request_id)


@dataclass(slots=True, eq=False)
class _Waiter:
    """`here`: the batch has come here, and with it the command."""

    woken: asyncio.Event = field(default_factory=asyncio.Event)
    here: bool = False

    async def wait(self, pause: float) -> None:
        try:
            async with asyncio.timeout(pause):
                await self.woken.wait()
        except TimeoutError:
            pass
        self.woken.clear()


class Sender:
    """`answered`: commands whose answers were read; somebody else withdraws them, for which nobody waits."""

    def __init__(self, neighbours: Neighbours, performer: Performer, clock: Clock) -> None:
        self._to, self._performer, self._clock = neighbours, performer, clock
        self._waiting: dict[Sent, _Waiter] = {}
        self.answered: deque[SentCommand] = deque()

    def look(self, batch_id: str) -> None:
        """Its answer may be there; "": any."""
        for which, waiter in self._waiting.items():
            if not batch_id or which.batch_id == batch_id:
                waiter.woken.set()

    def claims(self, command: SentCommand) -> bool:
        """Whether one that came back here with its batch is still waited for: then who waits carries it out."""
        waiter = self._waiting.get(sent(command))
        if waiter is None:
            return False
        waiter.here = True
        waiter.woken.set()
        return True

    async def send(self, errand: Errand[Any, R], owner: str) -> R:
        """Raises what the owner refuses it with; UnavailableError (OWNER_SILENT, STORE_UNAVAILABLE), where it is not
        known what became of it."""
        command = errand.written(self._to.incarnation)
        waiter = self._waiting[sent(command)] = _Waiter()
        try:
            return await self._follow(errand, command, waiter, owner)
        finally:
            del self._waiting[sent(command)]

    async def _follow(self, errand: Errand[Any, R], command: SentCommand, waiter: _Waiter, owner: str) -> R:
        """What goes wrong on the way is tried again until patience ends: nobody else knows where the command is."""
        until = self._clock.monotonic() + self._to.patience
        pause, trouble = FIRST_PAUSE, await self._write(command, owner)
        while self._clock.monotonic() < until:
            await waiter.wait(pause)
            try:
                answer = await self._to.commands.answer(*sent(command))
                if answer is not None:
                    return await self._read(errand, command, answer)
                if waiter.here or trouble is not None or pause > LOOK_AFTER:
                    waiter.here = False
                    return await self._carry_out(errand, command)
            except OwnedElsewhereError as elsewhere:
                trouble = await self._write(command, elsewhere.incarnation)
            except UnavailableError as error:
                if error.reason not in UNDECIDED:
                    raise
                trouble = error
            pause = min(2 * pause, LONGEST_PAUSE)
        await self._withdraw(command)
        raise _not_known(command, trouble, self._to.patience)

    async def _write(self, command: SentCommand, owner: str) -> UnavailableError | None:
        """Returns what went wrong."""
        try:
            await self._to.commands.send(command, self._clock.time_ns())
        except UnavailableError as error:
            return error
        self._to.wakeups.send([Wake(WakeKind.COMMAND, to=owner)])
        return None

    async def _read(self, errand: Errand[Any, R], command: SentCommand, answer: CommandAnswer) -> R:
        if answer.answer is not None:
            self.answered.append(command)
            return errand.kind.load(answer.answer)
        assert answer.refusal is not None
        await self._withdraw(command)
        raise read_refusal(answer.refusal)

    async def _carry_out(self, errand: Errand[Any, R], command: SentCommand) -> R:
        """The batch belongs to nobody, or to this orchestrator by now. Raises OwnedElsewhereError where it does not."""
        try:
            answer = await self._performer.perform(errand, again=True)
        except GreenlightError as error:
            if error.reason not in UNDECIDED:
                await self._withdraw(command)
            raise
        self.answered.append(command)
        return answer

    async def _withdraw(self, command: SentCommand) -> None:
        try:
            await self._to.commands.withdraw(*sent(command))
        except UnavailableError as error:
            _log.warning("a command that nobody waits for may be carried out: %s", error)


def _not_known(command: SentCommand, trouble: UnavailableError | None, patience: float) -> UnavailableError:
    if trouble is None:
        reason, why = "OWNER_SILENT", f"the orchestrator that has the batch has not answered for {patience:g} s"
    else:
        reason, why = trouble.reason, trouble.message
    problem = f"whether this was done is not known: look at the batch, or ask again with the same request_id. {why}"
    return UnavailableError(reason, problem, metadata={"batch_id": command.batch_id}, retry_after=1.0)
