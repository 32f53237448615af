"""Commands that other orchestrators sent for batches of this one: carried out in order batch by batch, several batches
at a time."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from orchestrator_svc.application.commands.errand import read_errand
from orchestrator_svc.application.commands.kind import AnyKind, UnreadableError
from orchestrator_svc.application.commands.neighbours import Neighbours
from orchestrator_svc.application.commands.performing import Performer
from orchestrator_svc.application.commands.refusals import write_refusal
from orchestrator_svc.application.commands.sending import UNDECIDED, Sender
from orchestrator_svc.application.engine.elsewhere import OwnedElsewhereError
from orchestrator_svc.ports.commands import SentCommand
from orchestrator_svc.ports.wakeups import Wake, WakeKind
from shared.kernel.clock import Clock
from shared.kernel.errors import GreenlightError, InternalError, UnavailableError

POLL = 0.25
AT_ONCE = 256
BATCHES = 32
FORGET_EVERY = 30.0
KEPT = 60_000_000_000
"""For how long a command waits whose sender is gone, in ns."""

_log = logging.getLogger(__name__)


class Receiver:
    """`run` is its one task. `kinds`: by name."""

    def __init__(
        self,
        neighbours: Neighbours,
        kinds: Mapping[str, AnyKind],
        performer: Performer,
        sender: Sender,
        clock: Clock,
    ) -> None:
        self._to, self._kinds, self._performer, self._sender = neighbours, kinds, performer, sender
        self._clock = clock
        self._woken = asyncio.Event()
        self._working: set[str] = set()
        self._more = False

    def look(self) -> None:
        """There may be some."""
        self._woken.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._forget(), name="commands of nobody")
            while True:
                if await self._wait() or self._to.live():
                    await self._begin(tasks)

    async def _wait(self) -> bool:
        """Whether it was woken."""
        try:
            async with asyncio.timeout(POLL):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    async def _begin(self, tasks: asyncio.TaskGroup) -> None:
        try:
            received = await self._to.commands.received(AT_ONCE)
        except UnavailableError as error:
            _log.warning("commands of other orchestrators wait: %s", error)
            return
        by_batch: dict[str, list[SentCommand]] = {}
        for command in received:
            if not self._sender.claims(command):
                by_batch.setdefault(command.batch_id, []).append(command)
        for batch_id, commands in by_batch.items():
            if batch_id in self._working or len(self._working) >= BATCHES:
                self._more = True
            else:
                self._working.add(batch_id)
                tasks.create_task(self._of_batch(batch_id, commands), name=f"commands for {batch_id}")

    async def _of_batch(self, batch_id: str, commands: Sequence[SentCommand]) -> None:
        """One that cannot be judged now holds up those behind it, until the next look."""
        try:
            for command in commands:
                if not await self._judge(command):
                    return
        except UnavailableError as error:
            _log.warning("commands for batch %s wait: %s", batch_id, error)
        finally:
            self._working.discard(batch_id)
        if self._more:
            self._more = False
            self._woken.set()

    async def _judge(self, command: SentCommand) -> bool:
        """False: that is for later, or for another orchestrator."""
        try:
            error = await self._carry_out(command)
        except OwnedElsewhereError:
            return False
        if error is not None:
            if error.reason in UNDECIDED:
                return False
            await self._to.commands.refuse(command, write_refusal(error))
        self._to.wakeups.send([Wake(WakeKind.ANSWER, to=command.sender)])
        return True

    async def _carry_out(self, command: SentCommand) -> GreenlightError | None:
        """Returns why not. What it answered is recorded with what it changed."""
        kind = self._kinds.get(command.kind)
        if kind is None:
            return _incompatible(f"it knows no command {command.kind}")
        try:
            await self._performer.perform(read_errand(kind, command), again=True)
        except UnreadableError as error:
            return _incompatible(f"it cannot read this {command.kind}: {error}")
        except GreenlightError as error:
            return error
        except OwnedElsewhereError:
            raise
        except Exception:
            _log.exception("%s from another orchestrator has failed", command.kind)
            return InternalError("INTERNAL", "internal error")
        return None

    async def _forget(self) -> None:
        """What was never judged is not carried out late."""
        while True:
            await asyncio.sleep(FORGET_EVERY)
            try:
                await self._to.commands.forget_commands(self._clock.time_ns() - KEPT)
            except UnavailableError as error:
                _log.warning("commands of orchestrators that are gone stay for a while: %s", error)


def _incompatible(why: str) -> UnavailableError:
    return UnavailableError(
        "OWNER_INCOMPATIBLE",
        f"the orchestrator that has the batch is of another version: {why}; try again when both are of the same",
        retry_after=5.0,
    )
