"""Runs a request of many items, a command a batch; each batch's answers are recorded with what the command did."""

from collections.abc import Callable, Sequence

from orchestrator_svc.application.add_proposals import remember
from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.items import ItemAnswer, by_batch, dump, load, split_id, unknown
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from shared.kernel.errors import NotFoundError

ForBatch = Callable[[Batch, Changes, Sequence[int]], list[ItemAnswer]]


class EachItem:
    """`for_batch` gets the positions of the items that belong to a batch, whose keys exist there."""

    def __init__(self, engine: Engine, requests: Requests) -> None:
        self._engine, self._requests = engine, requests

    async def run(
        self, caller: Caller, proposal_ids: Sequence[str], for_batch: ForBatch, key: RequestKey | None
    ) -> list[ItemAnswer]:
        """Answers in request order. Raises InvalidError (REQUEST_ID_REUSED), UnavailableError."""
        answers: dict[int, ItemAnswer] = {}
        async with self._requests.once(caller.tenant, key) as earlier:
            groups = by_batch(proposal_ids)
            if earlier is None and len(groups) > 1:
                await self._requests.claim(caller.tenant, key, b"")
            for batch_id, positions in groups.items():
                recorded = earlier.answers.get(batch_id) if earlier is not None else None
                if recorded is not None:
                    answers |= load(recorded)
                else:
                    answers |= await self._of_batch(caller, batch_id, positions, proposal_ids, for_batch, key)
        return [answers[position] for position in range(len(proposal_ids))]

    async def _of_batch(
        self,
        caller: Caller,
        batch_id: str,
        positions: Sequence[int],
        proposal_ids: Sequence[str],
        for_batch: ForBatch,
        key: RequestKey | None,
    ) -> dict[int, ItemAnswer]:
        def operation(batch: Batch, changes: Changes) -> dict[int, ItemAnswer]:
            known = [p for p in positions if split_id(proposal_ids[p])[1] in batch.by_key]
            found = dict(zip(known, for_batch(batch, changes, known), strict=True)) if known else {}
            found |= {p: unknown(proposal_ids[p]) for p in positions if p not in found}
            remember(changes, key, dump(found.items()))
            return found

        try:
            async with self._engine.live.pin(caller.tenant, batch_id) as batch:
                return await self._engine.execute(batch, operation)
        except NotFoundError:
            return {position: unknown(proposal_ids[position]) for position in positions}
