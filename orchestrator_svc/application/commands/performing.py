"""Carries out a command here, where its batch is."""

import asyncio
from typing import Any, TypeVar

from orchestrator_svc.application.caller import RequestKey
from orchestrator_svc.application.commands.errand import Errand
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.domain.batch import Batch
from shared.kernel.errors import UnavailableError

R = TypeVar("R")

LOST = "BATCH_LOST"
PAUSES = (0.02, 0.1, 0.5)


class Performer:
    """`shared`: other orchestrators may take a batch away, or carry out the same request, at any time."""

    def __init__(self, engine: Engine, requests: Requests, shared: bool) -> None:
        self._engine, self._requests, self._shared = engine, requests, shared

    async def perform(self, errand: Errand[Any, R], *, again: bool = False) -> R:
        """Raises what the handler raises, and OwnedElsewhereError. `again`: it may have been carried out already.

        Where another orchestrator took the batch while the command was on its way, or the store says that its request
        was carried out, or is another's, it is looked for anew, a few times.
        """
        for pause in PAUSES if self._shared else ():
            try:
                return await self._attempt(errand, again)
            except UnavailableError as error:
                if error.reason != LOST:
                    raise
            await asyncio.sleep(pause)
            again = True
        return await self._attempt(errand, again)

    async def _attempt(self, errand: Errand[Any, R], again: bool) -> R:
        if not self._shared or errand.key is None:
            async with self._engine.live.pin(errand.caller.tenant, errand.batch_id) as batch:
                return await self._carry_out(errand, batch)
        tenant, request_id = errand.caller.tenant, errand.key.request_id
        async with self._requests.command(tenant, errand.batch_id, request_id) as waited:
            return await self._once(errand, errand.key, look=again or waited)

    async def _once(self, errand: Errand[Any, R], key: RequestKey, look: bool) -> R:
        """`look`: somebody else asked for it, too. A batch that is this orchestrator's has answered to no other one."""
        tenant, batch_id, live = errand.caller.tenant, errand.batch_id, self._engine.live
        look = look or live.may_be_taken(batch_id)
        async with live.pin(tenant, batch_id) as batch:
            if look:
                recorded = await self._requests.recorded(tenant, batch_id, key)
                if recorded is not None:
                    return errand.kind.load(recorded)
            return await self._carry_out(errand, batch)

    async def _carry_out(self, errand: Errand[Any, R], batch: Batch) -> R:
        operation = await errand.kind.handle(errand.caller, batch, errand.arguments, errand.key)
        return await self._engine.execute(batch, operation)
