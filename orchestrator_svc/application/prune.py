"""Old events go: on request, and by a policy of age. Summaries, answers and decisions stay."""

import asyncio
import logging

from orchestrator_svc.application.caller import Caller
from orchestrator_svc.application.cancel import request_invalid
from orchestrator_svc.ports.store import Compaction, Store
from shared.kernel.clock import Clock
from shared.kernel.errors import UnavailableError

_SWEEP_SECONDS = 3600.0
_SECOND = 1_000_000_000

_log = logging.getLogger(__name__)


class PruneEvents:
    """`run` keeps to the policy: `keep` is how many seconds a finished batch keeps its events; 0: for ever.

    `round_seconds`: after which a request is answered, done or not.
    """

    def __init__(self, store: Store, clock: Clock, keep: float = 0, round_seconds: float = 2.0) -> None:
        self._store, self._clock, self._keep, self._round_seconds = store, clock, keep, round_seconds

    async def prune(self, caller: Caller, older_than: int | None, dry_run: bool) -> Compaction:
        """Of the caller's tenant; as much as a round allows. `older_than`: ns since a batch finished.

        Raises InvalidError (REQUEST_INVALID).
        """
        if older_than is None:
            raise request_invalid("older_than", "is missing; say how long ago a batch must have finished")
        before = self._clock.time_ns() - older_than
        if dry_run:
            return await self._store.compactable(caller.tenant, before)
        return await self._round(caller.tenant, before)

    async def run(self) -> None:
        """Goes round once an hour. A store that is away is asked an hour later."""
        while self._keep:
            try:
                await self._sweep(self._clock.time_ns() - round(self._keep * _SECOND))
            except UnavailableError as error:
                _log.warning("old events go an hour later: %s", error)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _sweep(self, before: int) -> None:
        batches = events = 0
        more = True
        while more:
            one = await self._round(None, before)
            batches, events, more = batches + one.batches, events + one.events, one.more
        if events:
            _log.info("%d old events of %d batches are gone", events, batches)

    async def _round(self, tenant: str | None, before: int) -> Compaction:
        """Slice by slice, each followed by a pause of its length: half of the writer's time is left to others."""
        batches = events = 0
        end = self._clock.monotonic() + self._round_seconds
        while True:
            began = self._clock.monotonic()
            one = await self._store.compact(tenant, before)
            batches, events = batches + one.batches, events + one.events
            now = self._clock.monotonic()
            if not one.more or now >= end:
                return Compaction(batches, events, one.more)
            await asyncio.sleep(now - began)
