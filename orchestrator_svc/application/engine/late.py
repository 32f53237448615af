"""Endings that come after a person has said what became of the call: recorded and shown, and they change nothing else.

Their batch may have left the memory long ago, so that they are brought to it as a command is.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from orchestrator_svc.application.engine.flights import Flight
from orchestrator_svc.application.engine.live import LiveBatches, OwnedElsewhereError
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.settling import Ending
from orchestrator_svc.domain.unknown import arrive_late
from orchestrator_svc.ports.executor import Executors
from shared.kernel.errors import GreenlightError, UnavailableError

PAUSE = 0.25

_log = logging.getLogger(__name__)
Execute = Callable[[Batch, Callable[[Batch, Changes], None]], Awaitable[None]]


class LateEndings:
    """`run` is its one task. One that another orchestrator would have to record is said in the log; its executor need
    not keep it."""

    def __init__(self, live: LiveBatches, executors: Executors, execute: Execute) -> None:
        self._live, self._executors, self._execute = live, executors, execute
        self._queue: asyncio.Queue[tuple[Flight, Ending]] = asyncio.Queue()

    def put(self, flight: Flight, ending: Ending) -> None:
        self._queue.put_nowait((flight, ending))

    async def run(self) -> None:
        while True:
            flight, ending = await self._queue.get()
            try:
                await self._try_on(flight, ending)
            except (GreenlightError, OwnedElsewhereError) as error:
                _log.warning("the late ending of %s is not recorded: %s", flight.call_id, error)
            self._executors.acknowledge(flight.target, [flight.call_id])

    async def _try_on(self, flight: Flight, ending: Ending) -> None:
        """Waits out a store that is not there."""
        told = False
        while True:
            try:
                return await self._record(flight, ending)
            except UnavailableError as error:
                if not told:
                    _log.warning("the late ending of %s waits: %s", flight.call_id, error)
                told = True
                await asyncio.sleep(PAUSE)

    async def _record(self, flight: Flight, ending: Ending) -> None:
        def operation(batch: Batch, changes: Changes) -> None:
            proposal = batch.by_key[flight.proposal.key]
            if proposal.attempts[flight.attempt - 1].may_still_run:  # else it was recorded the last time
                arrive_late(changes, proposal, flight.attempt, ending.result, ending.failure)

        async with self._live.pin(flight.batch.tenant, flight.batch.id) as batch:
            await self._execute(batch, operation)
