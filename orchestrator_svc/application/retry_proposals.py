"""RetryProposals: single ones, or all of a batch (or of some of its agents) that can be."""

from collections.abc import Sequence

from orchestrator_svc.application.add_proposals import remember
from orchestrator_svc.application.caller import Caller, RequestKey
from orchestrator_svc.application.cancel import check_items, check_reason, request_invalid
from orchestrator_svc.application.each_item import EachItem
from orchestrator_svc.application.engine.loop import Engine
from orchestrator_svc.application.items import ItemAnswer, done, dump, fault, load, split_id
from orchestrator_svc.application.requests import Requests
from orchestrator_svc.domain.batch import Batch
from orchestrator_svc.domain.changes import Changes
from orchestrator_svc.domain.retrying import check_retry, retry


class RetryProposals:
    def __init__(self, engine: Engine, requests: Requests, each_item: EachItem) -> None:
        self._engine, self._requests, self._each_item = engine, requests, each_item

    async def retry(
        self,
        caller: Caller,
        proposal_ids: Sequence[str],
        batch_id: str,
        agents: Sequence[str],
        reason: str,
        key: RequestKey | None,
    ) -> list[ItemAnswer]:
        """Either ids or a batch. Raises InvalidError (REQUEST_INVALID), NotFoundError (BATCH_UNKNOWN)."""
        check_reason(reason)
        if bool(proposal_ids) == bool(batch_id):
            raise request_invalid("proposal_ids", "give either proposal_ids or batch_id")
        if batch_id:
            return await self._batch(caller, batch_id, agents, reason, key)
        if agents:
            raise request_invalid("agents", "goes with batch_id only")
        check_items(proposal_ids)

        def for_batch(batch: Batch, changes: Changes, positions: Sequence[int]) -> list[ItemAnswer]:
            return [_one(batch, changes, proposal_ids[p], caller.principal, reason) for p in positions]

        return await self._each_item.run(caller, proposal_ids, for_batch, key)

    async def _batch(
        self, caller: Caller, batch_id: str, agents: Sequence[str], reason: str, key: RequestKey | None
    ) -> list[ItemAnswer]:
        wanted = set(agents)

        def operation(batch: Batch, changes: Changes) -> list[ItemAnswer]:
            chosen = [
                batch.proposal_id(p)
                for p in batch.proposals
                if (not wanted or p.agent in wanted) and check_retry(batch, p) is None
            ]
            answers = [_one(batch, changes, proposal_id, caller.principal, reason) for proposal_id in chosen]
            remember(changes, key, dump(enumerate(answers)))
            return answers

        async with (
            self._requests.once(caller.tenant, key) as earlier,
            self._engine.live.pin(caller.tenant, batch_id) as batch,
        ):
            if earlier is not None and batch_id in earlier.answers:
                return list(load(earlier.answers[batch_id]).values())
            return await self._engine.execute(batch, operation)


def _one(batch: Batch, changes: Changes, proposal_id: str, principal: str, reason: str) -> ItemAnswer:
    proposal = batch.by_key[split_id(proposal_id)[1]]
    error = check_retry(batch, proposal)
    if error is not None:
        return fault(proposal_id, error, proposal)
    retry(batch, changes, proposal, principal, reason)
    return done(batch, proposal)
