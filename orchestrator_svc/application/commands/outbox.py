"""Commands on their way to other orchestrators: what waits to be written down, answered or withdrawn is so in one go,
however much it is."""

import asyncio
import logging
from dataclasses import dataclass, field

from orchestrator_svc.application.commands.neighbours import Neighbours
from orchestrator_svc.ports.commands import CommandAnswer, CommandId, SentCommand
from orchestrator_svc.ports.wakeups import Wake, WakeKind
from shared.kernel.clock import Clock
from shared.kernel.errors import UnavailableError

FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.25
MOST_DONE = 100

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Waiter:
    """Who waits for one. `trouble`: why it may not be written down."""

    command: SentCommand
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    answer: CommandAnswer | None = None
    trouble: UnavailableError | None = None

    async def wait(self, seconds: float) -> None:
        """Until there is an answer, or it came here; or for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self.woken.wait()
        except TimeoutError:
            pass
        self.woken.clear()


class Outbox:
    """`run` is its one task. One waiter a command."""

    def __init__(self, neighbours: Neighbours, clock: Clock) -> None:
        self._to, self._clock = neighbours, clock
        self.waiting: dict[CommandId, Waiter] = {}
        self._unsent: dict[CommandId, str] = {}
        self._done: set[CommandId] = set()
        self._woken, self._answers, self._idle = asyncio.Event(), False, False
        self._pause = FIRST_PAUSE

    def add(self, command: SentCommand, owner: str) -> Waiter:
        waiter = self.waiting[command.id] = Waiter(command)
        self.send(waiter, owner)
        return waiter

    def send(self, waiter: Waiter, owner: str) -> None:
        """Soon. Once more: to another owner, or because it may have got lost."""
        self._unsent[waiter.command.id] = owner
        self._pause = FIRST_PAUSE
        self._woken.set()

    def remove(self, waiter: Waiter) -> None:
        """Nobody waits any more: it is withdrawn by and by, or, where that fails, forgotten once this start is over."""
        del self.waiting[waiter.command.id]
        self._unsent.pop(waiter.command.id, None)
        self._done.add(waiter.command.id)
        if len(self._done) == 1 or len(self._done) >= MOST_DONE:
            self._woken.set()

    async def withdraw(self, waiter: Waiter) -> None:
        """At once, while it is still waited for. Where that fails, it may be carried out."""
        self._unsent.pop(waiter.command.id, None)
        try:
            await self._to.commands.withdraw([waiter.command.id])
        except UnavailableError as error:
            _log.warning("a command that was refused may be carried out: %s", error)

    def look(self) -> None:
        """Answers may be there."""
        self._answers = True
        self._woken.set()

    async def run(self) -> None:
        while True:
            await self._wait()
            try:
                if self._idle or len(self._done) >= MOST_DONE:
                    await self._withdraw()
                await self._send()
                if self._idle or self._answers:
                    await self._read()
            except UnavailableError as error:
                _log.warning("commands for other orchestrators wait: %s", error)
                for waiter in self.waiting.values():
                    waiter.trouble = error
                await asyncio.sleep(self._pause)

    async def _wait(self) -> None:
        """A look at the store from time to time, while there is anything to be waited for."""
        self._idle = False
        try:
            async with asyncio.timeout(self._pause if self.waiting or self._done else None):
                await self._woken.wait()
        except TimeoutError:
            self._idle, self._pause = True, min(2 * self._pause, LONGEST_PAUSE)
        self._woken.clear()

    async def _withdraw(self) -> None:
        done = self._done - self.waiting.keys()  # the others came again
        self._done.clear()
        if done:
            await self._to.commands.withdraw(done)

    async def _send(self) -> None:
        owners = {one: owner for one, owner in self._unsent.items() if one in self.waiting}
        if not owners:
            return
        sent = [self.waiting[one].command for one in owners]
        woken = await self._to.commands.send(sent, self._clock.time_ns())
        for one, owner in owners.items():
            if self._unsent.get(one) == owner:
                del self._unsent[one]
            if one in self.waiting:
                self.waiting[one].trouble = None
        if not woken:
            self._to.wakeups.send([Wake(WakeKind.COMMAND, to=owner) for owner in {*owners.values()}])

    async def _read(self) -> None:
        self._answers = False
        if not self.waiting:
            return
        answers = await self._to.commands.answers(list(self.waiting))
        for one, answer in answers.items():
            waiter = self.waiting.get(one)
            if waiter is not None:
                waiter.answer = answer
                waiter.woken.set()
