"""Commands that other orchestrators sent for batches of this one: those that wait for a batch go together, several
batches at a time."""

import asyncio
import logging
from collections.abc import Sequence

from orchestrator_svc.application.commands.carrying import Carrier
from orchestrator_svc.application.commands.neighbours import Neighbours
from orchestrator_svc.application.commands.sending import Sender
from orchestrator_svc.application.engine.elsewhere import OwnedElsewhereError
from orchestrator_svc.ports.commands import SentCommand
from shared.kernel.clock import Clock
from shared.kernel.errors import UnavailableError

POLL = 0.25
AT_ONCE = 256
BATCHES = 32
FORGET_EVERY = 30.0
KEPT = 60_000_000_000
"""For how long a command waits whose sender is gone, in ns."""

_log = logging.getLogger(__name__)


class Receiver:
    """`run` is its one task."""

    def __init__(self, neighbours: Neighbours, carrier: Carrier, sender: Sender, clock: Clock) -> None:
        self._to, self._carrier, self._sender, self._clock = neighbours, carrier, sender, clock
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
        """Those that cannot be judged now wait for the next look."""
        try:
            await self._carrier.carry_out(commands)
        except OwnedElsewhereError:
            pass  # they are for that one
        except UnavailableError as error:
            _log.warning("commands for batch %s wait: %s", batch_id, error)
        finally:
            self._working.discard(batch_id)
        if self._more:
            self._more = False
            self._woken.set()

    async def _forget(self) -> None:
        """What was never judged is not carried out late."""
        while True:
            await asyncio.sleep(FORGET_EVERY)
            try:
                await self._to.commands.forget_commands(self._clock.time_ns() - KEPT)
            except UnavailableError as error:
                _log.warning("commands of orchestrators that are gone stay for a while: %s", error)
